"""A report as one HTML page that needs nothing else: no script, no font, no picture from anywhere.

What people and hosts have chosen is only ever text: everything is escaped, whatever the template does.
"""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from landfast import durations, render
from landfast_cli.report import charts

#: Rows of a list. What is beyond is counted below it.
SHOWN = 200


def page(document: dict[str, Any]) -> str:
    """The page of what `document.document` gives."""
    environment = Environment(loader=PackageLoader("landfast_cli.report"), autoescape=True, undefined=StrictUndefined)
    period = document["period"]
    environment.filters |= {"number": _number, "time": _time, "duration": durations.text, "rough": _rough}
    environment.filters["size"] = render.size
    environment.filters["intervals"] = partial(charts.intervals, period=period)
    environment.filters["unknown"] = partial(charts.unknown, period=period, newest=document["log"]["newest"])
    environment.globals |= {"shown": SHOWN} | document
    shown = {"span": span(period), "charts": list(charts.days(document)), "commands": commands(document)}
    return environment.get_template("report.html").render(shown)


def span(period: dict[str, str]) -> str:
    """`October 2026` for a whole month, else the first and the last day, or the exact times."""
    begin, end = (datetime.fromisoformat(period[name]).astimezone(UTC) for name in ("from", "to"))
    if begin.time() != datetime.min.time() or end.time() != datetime.min.time():
        return f"{_time(period['from'])} to {_time(period['to'])}"
    first, last = begin.date(), end.date() - timedelta(days=1)
    if first.day == 1 and end.date() == _next_month(first):
        return first.strftime("%B %Y")
    return str(first) if first == last else f"{first} to {last}"


def commands(document: dict[str, Any]) -> str:
    """How somebody else makes the report again."""
    period, roster = document["period"], "" if document["roster"] is None else " --hosts roster.txt"
    log = f"--offline ./log --key log.pub{roster} --silent-after {durations.text(document['silent_after'])}"
    witnesses = _witnesses(document["witnesses"])
    return "\n".join(
        (
            f"landfast audit mirror ./log --key log.pub{witnesses}",
            f"landfast audit verify {log}{witnesses}",
            f"landfast audit report {log}{witnesses} \\",
            f"    --from {period['from']} --to {period['to']} --out report.html",
        )
    )


def _witnesses(asked: dict[str, Any] | None) -> str:
    """The options that require the same cosignatures."""
    if asked is None:
        return ""
    keys = [f"--witness {key}" for key in asked["required"]]
    return "".join(f" \\\n    {option}" for option in (*keys, f"--witnesses-needed {asked['needed']}"))


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _number(value: int) -> str:
    return f"{value:,}"


def _rough(seconds: int) -> str:
    """A duration; of a long one the seconds are left out."""
    return durations.text(seconds if seconds < 3600 else seconds - seconds % 60) if seconds else "-"


def _time(text: str | None) -> str:
    """RFC 3339 in UTC as people read it."""
    return text.replace("T", " ").removesuffix("Z") if text else "-"

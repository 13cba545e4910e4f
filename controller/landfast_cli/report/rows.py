"""What was gathered, as rows of plain data: the most frequent first, lives by when they began."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from landfast.verdict import Verdict
from landfast_cli.report.actions import Done
from landfast_cli.report.bounds import Groups, Kept, Sum
from landfast_cli.report.coverage import Host
from landfast_cli.report.ledgers import Life, Step
from landfast_cli.report.notices import Notices
from landfast_cli.report.period import NS
from landfast_cli.report.texts import told, utc
from landfast_cli.report.traffic import Flow, Refusal, Traffic

Rows = dict[str, Any]

VERDICTS = tuple(verdict.name for verdict in Verdict)


def table(rows: Iterable[Any], beyond: int = 0) -> Rows:
    """`beyond` is how much has no row, since there was too much of it."""
    return {"rows": list(rows), "beyond": beyond}


def flows(groups: Groups[Flow]) -> Rows:
    return table((_plain(key) | _sum(of) for key, of in _ordered(groups)), groups.beyond)


def refusals(groups: Groups[Refusal], verdict: str) -> Rows:
    """`beyond` counts refusals of every verdict."""
    return table((_plain(key) | _sum(of) for key, of in _ordered(groups) if key.verdict == verdict), groups.beyond)


def classes(groups: Groups[tuple[str, str]]) -> Rows:
    """A row for each class, with the number of decisions by verdict, and what was sent and received."""
    found: dict[str, dict[str, int]] = {}
    for (name, verdict), of in sorted(groups.sums.items()):
        row = found.setdefault(name, dict.fromkeys((*VERDICTS, "bytes_out", "bytes_in"), 0))
        row[verdict] = of.count
        row["bytes_out"] += of.bytes_out
        row["bytes_in"] += of.bytes_in
    return table(({"class": name} | verdicts for name, verdicts in found.items()), groups.beyond)


def days(traffic: Traffic) -> list[dict[str, Any]]:
    """Days with decisions, in order."""
    found: dict[int, dict[str, int]] = {}
    for (day, verdict), count in sorted(traffic.days.items()):
        found.setdefault(day, {})[verdict] = count
    return [{"day": utc(day * 86400 * NS)[:10]} | verdicts for day, verdicts in found.items()]


def notices(gathered: Notices) -> Rows:
    """Trouble first."""
    keys = sorted(gathered.groups.sums, key=lambda key: (not key.host, key))
    rows = (_plain(key) | _sum(gathered.groups.sums[key]) | {"newest": gathered.newest[key]} for key in keys)
    return table(rows, gathered.groups.beyond)


def readers(groups: Groups[str]) -> Rows:
    """Who has read the log: how often that was told, once an hour of each at most."""
    found = sorted(groups.sums.items())
    rows = ({"who": name, "count": of.count, "first": utc(of.first_ns), "last": utc(of.last_ns)} for name, of in found)
    return table(rows, groups.beyond)


def host(each: Host, expected: bool, findings: Counter[str]) -> dict[str, Any]:
    """`findings` are those about its events of the period, by kind."""
    return {
        "name": told(each.name),
        "expected": expected,
        "enrolled": _time(each.enrolled_ns),
        "state": each.state,
        "policy": each.policy,
        "first": _time(each.first_ns),
        "last": _time(each.last_ns),
        "events": each.events,
        "canaries": each.canaries,
        "folded": each.folded,
        "lost": each.lost,
        "silent_seconds": each.silent_ns // NS,
        "silences": table(({"from": utc(a), "to": utc(b)} for a, b in each.silences.things), each.silences.beyond),
        "findings": dict(sorted(findings.items())),
    }


def lives(found: Iterable[Life], beyond: int) -> Rows:
    return table(map(life, found), beyond)


def life(each: Life) -> dict[str, Any]:
    return {
        "number": told(each.number),
        "texts": dict(sorted(each.texts.items())),
        "notes": list(each.notes),
        "steps": [{"what": what} | _step(step) for what, step in each.steps],
        "outcome": each.outcome,
        "ended": each.ended,
    }


def done(kept: Kept[Done]) -> Rows:
    rows = ({"kind": each.kind, "subject": each.subject, "text": each.text} | _step(each.step) for each in kept.things)
    return table(rows, kept.beyond)


def _ordered(groups: Groups[Any]) -> list[tuple[Any, Sum]]:
    return sorted(groups.sums.items(), key=lambda pair: (-pair[1].count, -pair[1].bytes_out, pair[0]))


def _plain(key: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in key._asdict().items()}


def _sum(of: Sum) -> dict[str, Any]:
    return {
        "count": of.count,
        "hosts": of.hosts.bit_count(),
        "first": utc(of.first_ns),
        "last": utc(of.last_ns),
        "bytes_out": of.bytes_out,
        "bytes_in": of.bytes_in,
    }


def _step(step: Step) -> dict[str, Any]:
    return {"who": step.who, "time": utc(step.at_ns), "index": step.index}


def _time(unix_ns: int) -> str | None:
    return utc(unix_ns) if unix_ns else None

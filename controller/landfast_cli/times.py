"""Times as people type them: a duration (`4h`, `1d12h`) or RFC 3339 with a zone."""

import re
from datetime import timedelta

from landfast.policy.errors import InvalidError
from landfast.policy.times import parse_time
from landfast_cli.errors import BadInputError

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:\d+[wdhms])+")


def duration(text: str) -> timedelta:
    """Raises BadInputError unless `text` is like `90m`, `4h` or `1d12h`."""
    if not _DURATION.fullmatch(text):
        raise BadInputError(f"duration {text!r}: write it like 90m, 4h or 30d")
    try:
        return sum((timedelta(**{_UNITS[part[-1]]: int(part[:-1])}) for part in _parts(text)), timedelta())
    except OverflowError:
        raise BadInputError(f"duration {text!r}: it is longer than a calendar can hold") from None


def seconds(text: str | None) -> int:
    """A duration in whole seconds; 0 when none is given."""
    return int(duration(text).total_seconds()) if text else 0


def moment(text: str, now: float, direction: int) -> int:
    """Seconds since 1970: RFC 3339, or a duration from `now`, after (`direction` 1) or before it (-1)."""
    if _DURATION.fullmatch(text):
        return int(now + direction * duration(text).total_seconds())
    try:
        return parse_time(text)
    except InvalidError as error:
        raise BadInputError(f"time {error}, or a duration such as 4h") from None


def _parts(text: str) -> list[str]:
    return re.findall(r"\d+[wdhms]", text)

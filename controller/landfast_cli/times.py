"""Times as people type them: a duration (`4h`, `1d12h`) or RFC 3339 with a zone."""

from datetime import timedelta

from landfast import durations
from landfast.policy.errors import InvalidError
from landfast.policy.times import parse_time
from landfast_cli.errors import BadInputError


def duration(text: str) -> timedelta:
    """Raises BadInputError unless `text` is like `90m`, `4h` or `1d12h`."""
    try:
        return durations.parse(text)
    except ValueError as error:
        raise BadInputError(str(error)) from None


def seconds(text: str | None) -> int:
    """A duration in whole seconds; 0 when none is given."""
    return int(duration(text).total_seconds()) if text else 0


def moment(text: str, now: float, direction: int) -> int:
    """Seconds since 1970: RFC 3339, or a duration from `now`, after (`direction` 1) or before it (-1)."""
    if durations.is_duration(text):
        return int(now + direction * duration(text).total_seconds())
    try:
        return parse_time(text)
    except InvalidError as error:
        raise BadInputError(f"time {error}, or a duration such as 4h") from None

"""Expiries: RFC 3339 with a zone in text, whole seconds since 1970 in UTC everywhere else."""

import re
from datetime import UTC, datetime

from landfast.policy.errors import InvalidError

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.0+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_NAIVE = re.compile(r"\d{4}-\d{2}-\d{2}([Tt ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?", re.ASCII)
_REMEDY = "write it as RFC 3339 with a zone and whole seconds, such as 2027-06-30T00:00:00Z"
LAST = 253402300799  # 9999-12-31T23:59:59Z: the last second that RFC 3339 can write


def parse_time(text: str) -> int:
    """Seconds since 1970 of an RFC 3339 time. Raises `InvalidError`."""
    if not _RFC3339.fullmatch(text):
        problem = f"{text!r} has no time zone" if _NAIVE.fullmatch(text) else f"{text!r} is no time"
        raise InvalidError(problem, _REMEDY)
    try:
        seconds = int(datetime.fromisoformat(text.upper()).timestamp())
    except (ValueError, OverflowError) as error:
        raise InvalidError(f"{text!r} does not exist ({error})", _REMEDY) from None
    return _in_range(text, seconds)


def _in_range(text: str, seconds: int) -> int:
    if not 0 < seconds <= LAST:
        raise InvalidError(f"{text!r} lies outside of 1970 to 9999", _REMEDY)
    return seconds


def format_time(seconds: int) -> str:
    """RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

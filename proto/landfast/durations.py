"""Durations as people write them: `90m`, `4h`, `1d12h`."""

import re
from datetime import timedelta

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile(r"(?:\d+[wdhms])+")
_PART = re.compile(r"(\d+)([wdhms])")


def is_duration(text: str) -> bool:
    """Whether `text` is meant to be one."""
    return _DURATION.fullmatch(text) is not None


def parse(text: str) -> timedelta:
    """Raises ValueError unless `text` is a duration."""
    if not is_duration(text):
        raise ValueError(f"duration {text!r}: write it like 90m, 4h or 30d")
    try:
        return sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        raise ValueError(f"duration {text!r}: it is longer than a calendar can hold") from None


def text(seconds: int) -> str:
    """Whole seconds as `parse` reads them: `1d12h`; `0s`."""
    parts, rest = [], seconds
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts) or "0s"

"""The time that a report is about."""

import re
from dataclasses import dataclass
from typing import Self

from landfast.policy.times import format_time
from landfast_cli import times
from landfast_cli.errors import BadInputError

NS = 10**9

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Period:
    """From `begin_ns` to just before `end_ns`, nanoseconds since 1970."""

    begin_ns: int
    end_ns: int

    @classmethod
    def parse(cls, begin: str, end: str) -> Self:
        """Days in UTC, or times in RFC 3339. Raises BadInputError for what is none, and for an empty period."""
        made = cls(_moment(begin), _moment(end))
        if made.begin_ns >= made.end_ns:
            raise BadInputError(f"the period from {begin} to {end} is empty: --to names the first moment after it")
        return made

    def __contains__(self, at_ns: int) -> bool:
        return self.begin_ns <= at_ns < self.end_ns

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.begin_ns) / NS

    @property
    def texts(self) -> tuple[str, str]:
        """As `parse` takes them."""
        return format_time(self.begin_ns // NS), format_time(self.end_ns // NS)


def _moment(text: str) -> int:
    return times.moment(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text, 0, 0) * NS

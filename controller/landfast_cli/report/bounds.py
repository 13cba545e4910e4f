"""Memory that does not grow with the log: what is beyond a bound is counted, never forgotten silently."""

from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

#: Groups that are kept of one kind, about 1 KB each.
MOST_GROUPS = 100_000

#: Single things (an action, an incident) that are kept of one kind.
MOST_THINGS = 10_000

K = TypeVar("K")
T = TypeVar("T")


@dataclass(slots=True)
class Sum:
    """What the records of a group come to: `hosts` has one bit for each host that they are of, bytes are of flows."""

    first_ns: int
    last_ns: int
    count: int = 0
    hosts: int = 0
    bytes_out: int = 0
    bytes_in: int = 0

    def add(self, other: "Sum") -> None:
        self.first_ns, self.last_ns = min(self.first_ns, other.first_ns), max(self.last_ns, other.last_ns)
        self.count += other.count
        self.hosts |= other.hosts
        self.bytes_out += other.bytes_out
        self.bytes_in += other.bytes_in


class Groups(Generic[K]):
    """Sums by key. What has a further key once there are `most` is only counted, in `beyond`."""

    def __init__(self, most: int = MOST_GROUPS) -> None:
        self.sums: dict[K, Sum] = {}
        self.beyond = 0
        self._most = most

    def add(self, key: K, part: Sum) -> bool:
        """Whether it was kept."""
        if found := self.sums.get(key):
            found.add(part)
        elif len(self.sums) < self._most:
            self.sums[key] = replace(part)
        else:
            self.beyond += part.count
            return False
        return True


@dataclass
class Kept(Generic[T]):
    """The first things of a kind; further ones are only counted, in `beyond`."""

    most: int = MOST_THINGS
    things: list[T] = field(default_factory=list)
    beyond: int = 0

    def add(self, thing: T) -> None:
        if len(self.things) < self.most:
            self.things.append(thing)
        else:
            self.beyond += 1

"""The stages of a rollout, and which hosts each of them reaches.

A stage is a label of hosts, a percentage of those that are connected, or `all`, which is the last. Stages add up: who
was reached stays reached. Percentages choose by a hash of version and name: the same hosts again and again would bear
every risk, and be the last to know whether a change works elsewhere.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256

from landfast.v1.agent_pb2 import PolicyState
from landfast_controller.rollout.denials import Denials

ALL = "all"

_PERCENTAGE = re.compile(r"([1-9][0-9]?)%")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Standing(Enum):
    """What became of the version on a host."""

    WAITING = 1
    PROVED = 2
    FAILED = 3


@dataclass(frozen=True)
class Host:
    """What is seen of one host. `has`: it was given the version of the rollout, and keeps it."""

    name: str
    labels: frozenset[str] = frozenset()
    live: bool = True  # connected, and heard from lately
    silent_s: float = 0.0  # since it was heard from
    measured: bool = True  # how much it denies is known, or it had the time to tell
    has: bool = False
    excused: bool = False  # somebody resumed the rollout in spite of it
    standing: Standing = Standing.WAITING
    well_s: float = 0.0  # since it is PROVED
    said: str = ""  # why it FAILED
    denials: tuple[Denials, ...] = ()
    given_ns: int = 0  # when it was given the version by itself; 0: it was not
    reported: PolicyState = field(default_factory=PolicyState)  # what it said last


@dataclass(frozen=True)
class Plan:
    """A version on its way; `stage` is the index of the stage that it is in."""

    version: int
    stages: tuple[str, ...]
    stage: int = 0

    @property
    def is_last(self) -> bool:
        return self.stage == len(self.stages) - 1

    @property
    def title(self) -> str:
        return f"stage {self.stage + 1} of {len(self.stages)} ({self.stages[self.stage]})"

    def due(self, hosts: Sequence[Host]) -> frozenset[str]:
        """Names of those that are to have the version by now, away or not."""
        chosen = frozenset(host.name for host in hosts if host.has)
        for stage in self.stages[: self.stage + 1]:
            chosen |= self._reached(stage, hosts, chosen)
        return chosen

    def _reached(self, stage: str, hosts: Sequence[Host], chosen: Collection[str]) -> frozenset[str]:
        if stage == ALL:
            return frozenset(host.name for host in hosts)
        if percentage := _PERCENTAGE.fullmatch(stage):
            return self._share(int(percentage[1]), hosts, chosen)
        return frozenset(host.name for host in hosts if stage in host.labels)

    def _share(self, percentage: int, hosts: Sequence[Host], chosen: Collection[str]) -> frozenset[str]:
        """At least one host, those that were chosen before among them. Who is away could prove nothing."""
        pool = [host for host in hosts if host.live or host.has]
        pool.sort(key=lambda host: (host.name not in chosen, self._rank(host.name)))
        return frozenset(host.name for host in pool[: -(-len(pool) * percentage // 100)])

    def _rank(self, name: str) -> bytes:
        return sha256(f"{self.version} {name}".encode()).digest()


def check_stages(stages: Sequence[str]) -> None:
    """Raises ValueError for what is no plan."""
    if not stages or stages[-1] != ALL:
        raise ValueError(f"the last stage is not {ALL!r}; a version must reach every host in the end")
    for stage in stages[:-1]:
        if not _PERCENTAGE.fullmatch(stage):
            check_label(stage)
    shares = [int(found[1]) for found in map(_PERCENTAGE.fullmatch, stages) if found]
    if shares != sorted(set(shares)) or len(set(stages)) != len(stages):
        raise ValueError("each stage must reach more hosts than the one before")


def check_label(label: str) -> None:
    """Raises ValueError for what cannot be one."""
    if label == ALL or not _LABEL.fullmatch(label):
        raise ValueError(
            f"{label!r} is no label: use at most 63 lower-case letters, digits and hyphens, and not {ALL!r}; "
            "a percentage is one from 1% to 99%"
        )

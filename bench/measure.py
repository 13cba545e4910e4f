"""Going through all configurations, forward and backward, round after round."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bench.stage import NEITHER, SERVER, Stage, Tag
from bench.statistics import distribution, p10

if TYPE_CHECKING:
    from bench.statistics import Distribution

NONE = "none"
WORKLOADS = ("udp-send", "udp-sendto", "udp-connect", "tcp-request-response", "tcp-connect-close", "tcp-bulk")

_PROBE_S = 0.1
_DRIFT = 0.03  # how far nothing may lie apart in the two halves of a run


@dataclass(frozen=True)
class Configuration:
    """Something that is compared. `enter` puts it into action, and gives what tags the load generator, if anything.

    What `confines` lets the load generator send to the server's first address only.
    """

    name: str
    enter: Callable[[], AbstractContextManager[Tag | None]]
    confines: bool = False


@dataclass(frozen=True)
class Plan:
    """How much is measured. The first round warms up and is dropped."""

    rounds: int
    slices: int
    replacements: int


@dataclass(frozen=True)
class Visit:
    """One stay in a configuration: nanoseconds per operation, slice by slice, of each workload."""

    configuration: str
    round: int
    slices: dict[str, list[float]]


class Results:
    """What was measured, with the first round dropped. Distributions are of nanoseconds per operation, or quotients."""

    def __init__(self, visits: Sequence[Visit]) -> None:
        self._visits = [visit for visit in visits if visit.round > 0]
        self.configurations = list(dict.fromkeys(visit.configuration for visit in self._visits))
        self.workloads = list(self._visits[0].slices)
        self.cost = cache(self._cost)

    def _cost(self, configuration: str, workload: str) -> "Distribution":
        rounds: dict[int, list[float]] = {}
        for visit in self._visits:
            if visit.configuration == configuration:
                rounds.setdefault(visit.round, []).extend(visit.slices[workload])
        return distribution([*rounds.values()])

    def speed(self, configuration: str, workload: str, base: str = NONE) -> "Distribution":
        """Operations per second, as a part of those of `base`."""
        return self.cost(base, workload) / self.cost(configuration, workload)

    def added(self, configuration: str, workload: str) -> "Distribution":
        """Nanoseconds per operation above nothing."""
        return self.cost(configuration, workload) - self.cost(NONE, workload)

    def drift(self) -> dict[str, float]:
        """By workload, how much dearer nothing was in the second half of the rounds than in the first; as a part of it.

        Halves, and not single rounds: a virtual machine is slowed down by its neighbours for seconds at a time, which
        p10 leaves out as long as a tenth of the slices is quiet.
        """
        none = [visit for visit in self._visits if visit.configuration == NONE]
        middle = (none[0].round + none[-1].round) / 2
        first, second = ([each for each in none if (each.round > middle) == late] for late in (False, True))
        return {name: _p10(second, name) / _p10(first, name) - 1 for name in self.workloads}

    def disturbances(self) -> list[str]:
        """Why these results are not to be believed."""
        return [
            f"{workload}: nothing costs {drift:+.1%} in the second half of the run against the first; "
            f"at most {_DRIFT:.0%} is bearable: run it again on an idle machine"
            for workload, drift in self.drift().items()
            if abs(drift) > _DRIFT
        ]


def _p10(visits: Sequence[Visit], workload: str) -> float:
    return p10([each for visit in visits for each in visit.slices[workload]])


def prove(stage: Stage, configurations: Sequence[Configuration]) -> None:
    """Raises RuntimeError unless each refuses what it should, and nothing else: what confines nobody costs little."""
    for each in configurations:
        with each.enter() as tag, stage.probing((SERVER, NEITHER), tag) as counts:
            time.sleep(_PROBE_S)
        listed, other = counts
        if listed.refused or (other.sent if each.confines else other.refused):
            raise RuntimeError(f"{each.name} judges wrongly: to what it allows {listed}, to what it does not {other}")


def measure(stage: Stage, configurations: Sequence[Configuration], plan: Plan, say: Callable[[str], None]) -> Results:
    """Visits each configuration once a round, between two visits to nothing."""
    visits = []
    for number in range(plan.rounds + 1):
        order = configurations if number % 2 else configurations[::-1]
        for each in order:
            say(f"round {number} of {plan.rounds}: {each.name}")
            with each.enter() as tag:
                visits.append(Visit(each.name, number, stage.load(WORKLOADS, plan.slices, tag)))
    return Results(visits)

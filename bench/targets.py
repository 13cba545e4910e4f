"""What is promised about cost, and whether this run keeps it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.contest import BESIDE, IDLE, NFTABLES, NO_OP, RIVALS, TAGGED
from bench.measure import Results
from bench.replacement import Replacement
from bench.statistics import Estimate, distribution, estimate, greatest, least

if TYPE_CHECKING:
    from bench.statistics import Distribution

_SEND, _VISIT, _EXCHANGE = "udp-send", "tcp-connect-close", "tcp-request-response"


@dataclass(frozen=True)
class Target:
    """A promise: `measured` is at most, or at least, `limit`."""

    promise: str
    sign: str
    limit: float
    measured: Estimate

    @property
    def met(self) -> bool:
        return self.measured.value <= self.limit if self.sign == "<=" else self.measured.value >= self.limit


def targets(results: Results, replacements: Sequence[Replacement]) -> list[Target]:
    return [*_per_packet(results), *_tagged(results), *_untagged(results), *_replacing(replacements)]


def _at_most(promise: str, limit: float, measured: "Distribution") -> Target:
    return Target(promise, "<=", limit, estimate(measured))


def _at_least(promise: str, limit: float, measured: "Distribution") -> Target:
    return Target(promise, ">=", limit, estimate(measured))


def _per_packet(results: Results) -> Iterator[Target]:
    ours = {size: results.added(TAGGED[size], _SEND) for size in TAGGED}
    for size, limit in (("1 k", 0.3), ("100 k", 0.5)):
        rival = least([results.added(each, _SEND) for each in RIVALS[size]])
        yield _at_most(f"added to a UDP send, {size}, against the best rival", limit, ours[size] / rival)
    yield _at_most("added to a UDP send, 100 k against 1 k", 1.1, ours["100 k"] / ours["1 k"])


def _tagged(results: Results) -> Iterator[Target]:
    for size, name in TAGGED.items():
        rival = greatest([results.speed(each, _VISIT) for each in NFTABLES[size]])
        visit = results.speed(name, _VISIT)
        yield _at_least(f"tagged TCP connect-close, {size}, of none", 0.91, visit)
        yield _at_least(f"tagged TCP connect-close, {size}, of the best nftables", 1.0, visit / rival)
        yield _at_least(f"tagged TCP request-response, {size}, of none", 0.98, results.speed(name, _EXCHANGE))


def _untagged(results: Results) -> Iterator[Target]:
    for name in (IDLE, BESIDE):
        yield _at_least(f"{name}: TCP connect-close, of none", 0.96, results.speed(name, _VISIT))
        send = results.cost(name, _SEND) / results.cost(NO_OP, _SEND)
        yield _at_most(f"{name}: UDP send, of no-op", 1.05, send)


def _replacing(replacements: Sequence[Replacement]) -> Iterator[Target]:
    ours, rival = (distribution([[timing.whole] for timing in each.timings]) for each in replacements)
    installing = distribution([[timing.installing] for timing in replacements[0].timings])
    yield _at_most("replacing 100 k prefixes, from bytes to in force, of nft -f", 0.3, ours / rival)
    yield _at_most("of that writing, reading back and switching, of nft -f", 0.3, installing / rival)
    yield _at_most("wrong verdicts while replacing", 0, np.full(2, float(replacements[0].wrong)))

"""The servers in turn, round after round, and what an auditor waits for."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.fleet import deployment
from bench.fleet.deployment import Deployment
from bench.log import covered, following
from bench.log.batches import Chain, Pushes
from bench.log.following import Follower
from bench.log.pushing import Hosts
from bench.log.stage import PROBE, Stage
from bench.statistics import distribution
from landfast.batch import MAX_RECORDS

if TYPE_CHECKING:
    from bench.statistics import Distribution

CONTROLLER, UNPROVED, BARE, SINGLE = "landfast-controller", "without proofs", "bare server", "bare, one event each"
FOLLOWED, STOPPED = "one auditor follows", "and another has stopped"
INGEST, FOLLOWING = "ingest", "following"

_HOSTS = 8
_BATCHES, _BARE_BATCHES, _MESSAGES = 50, 300, 2000  # of a host in one turn: each takes some tenths of a second
_LOAD = 5  # batches of a host at a time, while events are waited for
_DRIFT = 0.15  # how far the bare server may lie apart in the first and the second half of the rounds

#: Seconds of a turn, by what they were waited for.
Turn = dict[str, float]


@dataclass(frozen=True)
class Plan:
    """How much is measured. The first round warms up and is dropped."""

    rounds: int
    seconds: float  # for which events are pushed, idle and under load
    verifications: int


@dataclass(frozen=True)
class Results:
    """`turns`: round by round, of each configuration. `idle` and `loaded`: seconds from events to their checkpoints.

    `verifying`: seconds of each verification of `verified` events. `size`: bytes of one batch.
    """

    turns: dict[str, list[Turn]]
    idle: list[float]
    loaded: list[float]
    verifying: list[float]
    verified: int
    size: int

    def rate(self, name: str, what: str = INGEST) -> "Distribution":
        """Events a second: the median over rounds."""
        events = _HOSTS * {SINGLE: _MESSAGES, BARE: _BARE_BATCHES * MAX_RECORDS}.get(name, _BATCHES * MAX_RECORDS)
        return distribution([[events / turn[what]] for turn in self.turns[name]], 50)

    def lost(self, name: str, without: str, what: str = INGEST) -> "Distribution":
        """Which part of the rate `without` is missing in that of `name`; compared round by round, the median."""
        pairs = zip(self.turns[name], self.turns[without], strict=True)
        return distribution([[1 - other[what] / mine[what]] for mine, other in pairs], 50)

    def verified_rate(self) -> "Distribution":
        return distribution([[self.verified / each] for each in self.verifying], 50)

    def disturbances(self) -> list[str]:
        """Why these results are not to be believed."""
        rounds = [turn[INGEST] for turn in self.turns[BARE]]
        half = len(rounds) // 2
        drift = float(np.median(rounds[half:]) / np.median(rounds[:half])) - 1
        if abs(drift) <= _DRIFT:
            return []
        return [
            f"the bare server takes {drift:+.0%} in the second half of the rounds against the first one; at most "
            f"{_DRIFT:.0%} is bearable: run it again on an idle machine"
        ]


def measure(plan: Plan, say: Callable[[str], None]) -> Results:
    with tempfile.TemporaryDirectory(prefix="landfast-bench-") as name:
        directory, hosts = Path(name), [f"host-{number}" for number in range(_HOSTS)]
        controller, unproved = (_made(directory / each, hosts) for each in (CONTROLLER, UNPROVED))
        return asyncio.run(_measure(Stage(directory, controller, unproved, hosts), plan, say))


def _made(directory: Path, hosts: Sequence[str]) -> Deployment:
    directory.mkdir()
    return deployment.make(directory, [*hosts, PROBE])


async def _measure(stage: Stage, plan: Plan, say: Callable[[str], None]) -> Results:
    async with stage:
        contest = _Contest(stage)
        turns = await contest.rounds(1, say)  # warms up; and what is verified is in the log
        await contest.probe(1)
        say("verifying")
        verified, copy = contest.events, await asyncio.to_thread(stage.mirror)
        verifying = [await asyncio.to_thread(stage.verify, copy) for _ in range(plan.verifications)]
        turns = await contest.rounds(plan.rounds, say)
        say("from events to checkpoints")
        loaded = await contest.probe_loaded(plan.seconds)
        idle = await contest.probe(plan.seconds)
        return Results(turns, idle, loaded, verifying, verified, len(contest.batch))


class _Contest:
    """Whoever has its turn gets the next batches; what they are made of is not measured."""

    def __init__(self, stage: Stage) -> None:
        self._stage, names = stage, stage.hosts
        self._chains, self._unproved = ([Chain(name) for name in names] for _ in range(2))
        self._probe = Chain(PROBE)
        self._single = [Chain(name).pushes(_MESSAGES, events=1).messages for name in names]
        self.batch = Chain(names[0]).pushes(1).messages[0]
        self._bare_turns = self._single_turns = 0

    @property
    def events(self) -> int:
        """In the controller's log."""
        return sum(chain.last for chain in (*self._chains, self._probe))

    async def rounds(self, count: int, say: Callable[[str], None]) -> dict[str, list[Turn]]:
        """Who goes first changes from round to round."""
        turns: dict[str, Callable[[], Awaitable[Turn]]] = {
            CONTROLLER: partial(self._pushed, self._stage.controller, self._chains),
            UNPROVED: partial(self._pushed, self._stage.unproved, self._unproved),
            BARE: self._bare,
            FOLLOWED: self._followed,
            STOPPED: self._stopped,
            SINGLE: self._one_by_one,
        }
        found: dict[str, list[Turn]] = {name: [] for name in turns}
        for number in range(count):
            say(f"round {number + 1} of {count}")
            for name in turns if number % 2 == 0 else reversed(turns):
                found[name].append(await turns[name]())
        return found

    async def _pushed(self, hosts: Hosts, chains: Sequence[Chain]) -> Turn:
        return {INGEST: await hosts.push([chain.pushes(_BATCHES) for chain in chains])}

    async def _bare(self) -> Turn:
        """What it gets follows nothing, and it does not look: it counts."""
        self._bare_turns += 1
        made = [Chain(chain.host).pushes(_BARE_BATCHES).messages for chain in self._chains]
        last = self._bare_turns * _BARE_BATCHES
        return {INGEST: await self._stage.bare.push([Pushes(messages, last) for messages in made])}

    async def _one_by_one(self) -> Turn:
        self._single_turns += 1
        last = self._single_turns * _MESSAGES
        return {INGEST: await self._stage.single.push([Pushes(messages, last) for messages in self._single])}

    async def _followed(self) -> Turn:
        async with await self._stage.auditor() as channel, following.follower(channel) as auditor:
            return await self._seen_by(auditor)

    async def _stopped(self) -> Turn:
        async with await self._stage.auditor() as channel, following.stopped(channel):
            return await self._followed()

    async def _seen_by(self, auditor: Follower) -> Turn:
        loop = asyncio.get_running_loop()
        batches, began = [chain.pushes(_BATCHES) for chain in self._chains], loop.time()
        ingest = asyncio.create_task(self._stage.controller.push(batches))
        await auditor.has(_BATCHES * len(batches))
        return {FOLLOWING: loop.time() - began, INGEST: await ingest}

    async def probe(self, seconds: float) -> list[float]:
        return await covered.delays(self._stage.database, self._probe, self._stage.probe, seconds)

    async def probe_loaded(self, seconds: float) -> list[float]:
        """While the other hosts push as fast as they can make batches."""
        loading = asyncio.create_task(self._load())
        try:
            return await self.probe(seconds)
        finally:
            loading.cancel()
            with suppress(asyncio.CancelledError):
                await loading

    async def _load(self) -> None:
        while True:
            await self._stage.controller.push([chain.pushes(_LOAD) for chain in self._chains])

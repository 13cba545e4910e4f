"""The two servers in turn, round after round.

The controller's time runs from the transaction that accepts a version to the moment at which a reader of its database
sees that a host has proved it; the rival's from the beginning of its broadcast to the moment at which it has read a
host's answer. So the controller's holds two commits more than the rival's: that of the version, and that of the proof.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.fleet import deployment
from bench.fleet.deployment import Deployment, Version
from bench.fleet.stage import Stage
from bench.statistics import distribution
from landfast.policy import canonical
from landfast.trust.verifier import Verifier, policy_file
from landfast.v1.agent_pb2 import SyncResponse

if TYPE_CHECKING:
    from bench.statistics import Distribution

CONTROLLER, BARE = "landfast-controller", "bare broadcast"

_VERIFIED = 7
_NS = 1_000_000_000
_DRIFT = 0.25  # how far the rival's figures may lie apart in the first and the second half of the rounds


@dataclass(frozen=True)
class Plan:
    """How much is measured. The first round warms up and is dropped."""

    hosts: int
    prefixes: int
    rounds: int


@dataclass(frozen=True)
class Results:
    """Seconds until each host was done, round by round, of each server.

    `size`: bytes that a host was sent. `verifying`: seconds that a host needs to verify them, alone, a few times.
    """

    delays: dict[str, list[list[float]]]
    size: int
    verifying: list[float]

    def percentile(self, server: str, percent: float) -> "Distribution":
        """Of a round's hosts; the median over rounds."""
        return distribution([[float(np.percentile(each, percent))] for each in self.delays[server]], 50)

    def ratio(self, percent: float) -> "Distribution":
        return self.percentile(CONTROLLER, percent) / self.percentile(BARE, percent)

    def disturbances(self) -> list[str]:
        """Why these results are not to be believed."""
        rounds = [float(np.percentile(each, 99)) for each in self.delays[BARE]]
        half = len(rounds) // 2
        drift = float(np.median(rounds[half:]) / np.median(rounds[:half])) - 1
        if abs(drift) <= _DRIFT:
            return []
        return [
            f"the bare broadcast takes {drift:+.0%} in the second half of the rounds against the first one; at most "
            f"{_DRIFT:.0%} is bearable: run it again on an idle machine"
        ]


def measure(plan: Plan, say: Callable[[str], None]) -> Results:
    with tempfile.TemporaryDirectory(prefix="landfast-bench-") as name:
        say(f"enrolling {plan.hosts} hosts")
        hosts = [f"host-{number}" for number in range(plan.hosts)]
        made = deployment.make(Path(name), hosts)
        versions = deployment.versions(made, plan.rounds + 1, plan.prefixes)
        with Stage(made, hosts, say) as stage:
            delays = _rounds(stage, versions, say)
        sent = made.sent(versions[-1].number).read_bytes()
        return Results(delays, len(sent), _verifying(made, sent))


def _rounds(stage: Stage, versions: Sequence[Version], say: Callable[[str], None]) -> dict[str, list[list[float]]]:
    """Who goes first changes from round to round. The rival sends what the controller has sent last."""
    delays: dict[str, list[list[float]]] = {CONTROLLER: [], BARE: []}
    for number, version in enumerate(versions):
        say(f"round {number} of {len(versions) - 1}")
        known = versions[max(number - 1, 0)].number
        turns = {CONTROLLER: partial(stage.prove, version), BARE: partial(stage.broadcast, known)}
        for server in turns if number % 2 == 0 else reversed(turns):
            delays[server].append([each / _NS for each in turns[server]()])
    return {server: rounds[1:] for server, rounds in delays.items()}


def _verifying(made: Deployment, sent: bytes) -> list[float]:
    """Seconds that it takes to believe what was sent: a host that has nothing yet."""
    policy, found = SyncResponse.FromString(sent).policy, []
    files = dict(policy.proof) | {policy_file(canonical.digest(policy.canonical)): policy.canonical}
    for number in range(_VERIFIED):
        verifier = Verifier.establish(made.directory / f"trust-{number}", made.root)
        began = time.perf_counter()
        verifier.accept(files, None, time.time())
        found.append(time.perf_counter() - began)
    return found

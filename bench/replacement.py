"""An allowlist of 100,000 prefixes replaced by another one while traffic goes on, and nobody judged wrongly meanwhile.

A probe sends to four addresses in turn: one that both lists hold, one that neither holds, and one that only the first
or only the second holds. Switching is atomic when the last two change their verdict exactly once at each replacement,
and the first two never.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.ours import Ours, tables_of
from bench.prefixes import allowlist, policy
from bench.rivals import Rivals
from bench.stage import BOTH, NEITHER, ONLY_NEW, ONLY_OLD, UDP_SINK, Stage, Tag
from landfast.policy import canonical
from landfast.policy.tables import compile_policy
from landfast_agent import slots

PREFIXES = 100_000
_SETTLE_S = 0.1  # so that the probe sees each list in force


@dataclass(frozen=True)
class Timing:
    """Seconds of one replacement: in all, and of that the part that writes to the kernel."""

    whole: float
    installing: float


@dataclass(frozen=True)
class Replacement:
    """How long each took, how many verdicts the probe saw meanwhile, and how many of them no list gives."""

    name: str
    timings: list[Timing]
    probed: int
    wrong: int


class Lists:
    """The two allowlists that alternate."""

    old = allowlist(PREFIXES, 1, f"{BOTH}/32", f"{ONLY_OLD}/32")
    new = allowlist(PREFIXES, 2, f"{BOTH}/32", f"{ONLY_NEW}/32")


def replace_ours(stage: Stage, ours: Ours, times: int) -> Replacement:
    """From the canonical bytes, as the agent gets them from the controller, to the policy in force."""
    old = policy(Lists.old)
    sources = [canonical.encode(policy(Lists.new, old)), canonical.encode(old)]
    with ours.loaded(tables_of(old)) as plane:

        def replace(number: int) -> Timing:
            begin, data = time.perf_counter(), sources[number % 2]
            tables = compile_policy(canonical.decode(data), canonical.digest(data))
            compiled = time.perf_counter()
            slots.install(plane.maps, tables, plane.clock)
            end = time.perf_counter()
            return Timing(end - begin, end - compiled)

        return _under_traffic("landfast", stage, lambda pid: plane.tagger.tag_tree(pid, 1), replace, times)


def replace_nftables(stage: Stage, rivals: Rivals, times: int) -> Replacement:
    """`nft -f` of a set of prefixes. Replacing a concatenated one of this size takes the kernel minutes."""
    name = "replaced"
    rivals.add_interval(name, Lists.old)
    files = [rivals.replacement(name, "new", Lists.new), rivals.replacement(name, "old", Lists.old)]

    def replace(number: int) -> Timing:
        begin = time.perf_counter()
        rivals.replace(files[number % 2])
        seconds = time.perf_counter() - begin
        return Timing(seconds, seconds)

    with rivals.nftables(name):
        return _under_traffic("nft -f", stage, None, replace, times)


def _under_traffic(
    name: str, stage: Stage, tag: Tag | None, replace: Callable[[int], Timing], times: int
) -> Replacement:
    timings = []
    with stage.server.socket(socket.AF_INET, socket.SOCK_DGRAM) as forbidden:
        forbidden.bind((NEITHER, UDP_SINK))
        with stage.probing((BOTH, NEITHER, ONLY_OLD, ONLY_NEW), tag) as counts:
            time.sleep(_SETTLE_S)
            for number in range(times):
                timings.append(replace(number))
                time.sleep(_SETTLE_S)
        both, neither, old, new = counts
        wrong = both.refused + neither.sent + _received(forbidden)
    wrong += abs(old.changes - times) + abs(new.changes - times)
    return Replacement(name, timings, sum(each.sent + each.refused for each in counts), wrong)


def _received(sink: socket.socket) -> int:
    """1 if anything has arrived: the refusals are not believed on the sender's word alone."""
    sink.setblocking(False)
    try:
        sink.recv(1)
    except BlockingIOError:
        return 0
    return 1

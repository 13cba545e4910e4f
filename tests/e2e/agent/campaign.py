"""Agent and controller are killed at random moments while tagged programs connect: some are refused, some allowed."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from landfast.event import Event
from landfast.v1.batch_pb2 import Notice, NoticeKind
from landfast.verdict import Stage, Verdict
from tests.e2e.agent.fleet import Fleet, end, line, notices
from tests.testbed import DATA_CENTRE, OUTSIDE, Namespace

if TYPE_CHECKING:
    import subprocess

VICTIMS = ("agent", "controller", "both")

#: Seconds between two kills, on the average: also while what was killed before is still starting.
_PAUSE_S = 0.7

#: So many kills, then what is in the kernel's ring has to reach the controller before the next one.
_ROUND = 7

# Counts how its connections fare until its input ends, some 200 a second; closes them by RST, so that no port waits.
_KNOCK = """
import select, socket, struct, sys
allowed = refused = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.004)[0]:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            sock.connect((sys.argv[1], 443))
            allowed += 1
        except PermissionError:
            refused += 1
print(refused, allowed, flush=True)
"""
_CLIENTS = {Verdict.DENY: OUTSIDE, Verdict.ALLOW: DATA_CENTRE}

#: How often connections of a process were decided, and how.
Decisions = Mapping[tuple[int, Verdict], int]


async def campaign(fleet: Fleet, where: Namespace, victims: Iterable[str], seed: int) -> int:
    """Kills `victims` one after the other; then the log must hold every connection once. Returns how many."""
    chance = random.Random(seed)
    fleet.start_agent()
    await fleet.allow(str(DATA_CENTRE.v4.network))
    clients = [fleet.tagged(where, "/usr/bin/python3", "-IS", "-c", _KNOCK, str(to.ip4)) for to in _CLIENTS.values()]
    try:
        assert [await line(client) for client in clients] == ["ready"] * len(clients)
        for number, victim in enumerate(victims):
            await asyncio.sleep(chance.expovariate(1 / _PAUSE_S))
            _kill(fleet, victim)
            if number % _ROUND == 0:
                await fleet.news()
        made = dict([await _end(client, verdict) for client, verdict in zip(clients, _CLIENTS, strict=True)])
    finally:
        for client in clients:
            end(client)
    await fleet.settled(timeout=300)
    check(await fleet.events(), made)
    assert await fleet.findings() == []
    return sum(made.values())


def _kill(fleet: Fleet, victim: str) -> None:
    if victim != "controller":
        fleet.kill_agent()
    if victim != "agent":
        fleet.kill_controller()
        fleet.deployment.launch()
    if victim != "controller":
        fleet.start_agent()


async def _end(client: "subprocess.Popen[str]", verdict: Verdict) -> tuple[tuple[int, Verdict], int]:
    """How often it was refused, or allowed."""
    assert client.stdin
    client.stdin.write("end\n")
    client.stdin.flush()
    refused, allowed = map(int, (await line(client)).split())
    wanted, other = (refused, allowed) if verdict == Verdict.DENY else (allowed, refused)
    assert other == 0, f"of {wanted + other} connections {other} were not decided as {verdict.name}"
    return (client.pid, verdict), wanted


def check(items: Sequence[Event | Notice], made: Decisions) -> int:
    """Every connection of every process is among the events once, or counted as lost. Returns how many were lost."""
    decided = [item for item in items if isinstance(item, Event) and item.stage == Stage.CONNECT]
    lost = sum(int(notice.fields.get("CONNECT", 0)) for notice in notices(items, NoticeKind.NOTICE_KIND_LOST))
    assert len(set(decided)) == len(decided), "an event is in the log twice"
    assert len(decided) + lost == sum(made.values())
    assert lost or Counter((item.tgid, Verdict(item.verdict)) for item in decided) == Counter(made)
    return lost

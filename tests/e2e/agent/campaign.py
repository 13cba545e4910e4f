"""Agent and controller are killed at random moments while tagged programs are refused connection after connection."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from landfast.event import Event
from landfast.v1.batch_pb2 import Notice, NoticeKind
from landfast.verdict import Stage, Verdict
from tests.e2e.agent.fleet import Fleet, end, line, notices
from tests.testbed import OUTSIDE, Namespace

if TYPE_CHECKING:
    import subprocess

VICTIMS = ("agent", "controller", "both")

# Counts its refusals until its input ends; about 500 a second.
_KNOCK = f"""
import select, socket, sys
refused = other = 0
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.001)[0]:
    with socket.socket() as sock:
        try:
            sock.connect(("{OUTSIDE.ip4}", 443))
            other += 1
        except PermissionError:
            refused += 1
print(refused, other, flush=True)
"""


async def campaign(fleet: Fleet, where: Namespace, victims: Iterable[str], seed: int) -> int:
    """Kills `victims` one after the other; afterwards the log must hold every refusal once. Returns how many."""
    chance = random.Random(seed)
    fleet.start_agent()
    await fleet.allow("10.20.0.0/16")
    clients = [fleet.tagged(where, "/usr/bin/python3", "-IS", "-c", _KNOCK) for _ in range(2)]
    try:
        assert [await line(client) for client in clients] == ["ready"] * 2
        for victim in victims:
            await asyncio.sleep(chance.random() * 2)
            await _kill(fleet, victim)
        counts = [await _end(client) for client in clients]
    finally:
        for client in clients:
            end(client)
    await fleet.settled()
    check(await fleet.events(), {client.pid: count for client, count in zip(clients, counts, strict=True)})
    assert await fleet.findings() == []
    return sum(counts)


async def _kill(fleet: Fleet, victim: str) -> None:
    if victim != "controller":
        fleet.kill_agent()
    if victim != "agent":
        await fleet.restart_controller()
    if victim != "controller":
        fleet.start_agent()


async def _end(client: "subprocess.Popen[str]") -> int:
    """How often it was refused."""
    assert client.stdin
    client.stdin.write("end\n")
    client.stdin.flush()
    refused, other = map(int, (await line(client)).split())
    assert other == 0, "a connection was not refused"
    return refused


def check(items: Sequence[Event | Notice], counts: Mapping[int, int]) -> int:
    """Every refusal of every process is among the events once, or counted as lost. Returns how many were lost."""
    denials = [item for item in items if isinstance(item, Event) and _is_denied_connect(item)]
    lost = sum(int(notice.fields.get("CONNECT", 0)) for notice in notices(items, NoticeKind.NOTICE_KIND_LOST))
    assert len(set(denials)) == len(denials), "an event is in the log twice"
    assert len(denials) + lost == sum(counts.values())
    assert lost or Counter(item.tgid for item in denials) == Counter(counts)
    return lost


def _is_denied_connect(item: Event) -> bool:
    return (item.stage, item.verdict) == (Stage.CONNECT, Verdict.DENY)

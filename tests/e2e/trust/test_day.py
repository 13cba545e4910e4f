"""A day without the controller, on a clock that is set: for the controller and for the agent, each a real one."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from landfast.event import Event
from landfast.policy import canonical, source
from landfast.policy.succession import succeed
from landfast.policy.times import format_time
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import NoticeKind
from landfast.v1.policy_pb2_grpc import PolicyServiceStub
from landfast.verdict import Verdict
from landfast_agent import slots
from landfast_agent.clock import Clock
from landfast_agent.maps import Maps
from tests.e2e.agent.fleet import CLASS, Fleet, end, fleet, line, notices
from tests.e2e.controller.policies import request_for
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Sniffer
from tests.testbed.shifted import ShiftedClock

pytestmark = pytest.mark.long

HOUR = 3600
BRIEF = 2 * HOUR  # the second rule ends
IN, OUT = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)
STEADY_PORT, BRIEF_PORT = 443, 5432
_POLICY = f"""\
version: 1
data_classes:
  {CLASS}:
    allow:
      - {{to: 10.20.0.0/16, ports: [tcp/{STEADY_PORT}], reason: replication}}
      - {{to: 10.20.0.0/16, ports: [tcp/{BRIEF_PORT}], reason: a repair, expires: EXPIRES}}
"""
_SLACK_S = 2.0  # the host's clock is set within a second, and the host notices within another one

#: Tries three destinations again and again until its input ends, and counts how each fares.
KNOCK = f"""
import collections, json, select, socket, sys
counts = collections.Counter()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.5)[0]:
    for address, port in (("{IN}", {STEADY_PORT}), ("{IN}", {BRIEF_PORT}), ("{OUT}", {STEADY_PORT})):
        with socket.socket() as sock:
            sock.settimeout(5)
            try:
                sock.connect((address, port))
                counts[f"{{address}} {{port}} ALLOW"] += 1
            except PermissionError:
                counts[f"{{address}} {{port}} DENY"] += 1
print(json.dumps(counts), flush=True)
"""


class _HostClock(Clock):
    """The host's, as it reads the kernel's deadlines."""

    def __init__(self, floor_file: Path, shifted: ShiftedClock) -> None:
        self._shifted = shifted
        super().__init__(floor_file)

    def now_ns(self) -> int:
        return int(self._shifted.time() * 1e9)


@pytest.fixture
def clock(tmp_path: Path) -> ShiftedClock:
    return ShiftedClock(tmp_path / "clock")


@pytest.fixture
async def both(tmp_path: Path, clock: ShiftedClock) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path, prefix=clock.prefix) as made:
        yield made


async def _apply(both: Fleet, expires: int) -> None:
    content = canonical.encode(succeed(source.read(_POLICY.replace("EXPIRES", format_time(expires))).draft, None))
    async with both.deployment.channel(both.deployment.approver) as channel:
        await PolicyServiceStub(channel).ProposePolicy(request_for(both.deployment, content))
    await both.until(lambda state: state.proved)


def _loaded(both: Fleet, clock: ShiftedClock) -> bytes:
    """Digest of what the kernel's maps hold, read without the agent."""
    with Maps(both.host.instance) as maps:
        found = slots.dump(maps, _HostClock(both.host.instance.state / "none", clock))
    assert found
    return found.digest


async def _status(both: Fleet) -> Any:
    done = await asyncio.to_thread(both.host.run, "status", "--json", timeout=60)
    return json.loads(done.stdout)["daemon"]


async def _until(both: Fleet, holds: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(120):
        while not holds(await _status(both)):
            await asyncio.sleep(0.5)


async def _counted(client: "Popen[str]") -> dict[tuple[str, int, str], int]:
    assert client.stdin
    client.stdin.write("end\n")
    client.stdin.flush()
    found = json.loads(await line(client))
    return {
        (address, int(port), verdict): count for key, count in found.items() for address, port, verdict in [key.split()]
    }


@pytest.mark.timeout(900)
async def test_a_day_without_the_controller(both: Fleet, servers: Network, clock: ShiftedClock) -> None:
    began, expires = clock.time(), int(clock.time()) + BRIEF
    both.start_agent()
    await _apply(both, expires)
    before = _loaded(both, clock)
    with Sniffer(servers.router, "enclave", snap=128) as sniffer:
        client = both.tagged(servers["enclave"], "/usr/bin/python3", "-IS", "-c", KNOCK)
        try:
            assert await line(client) == "ready"
            await asyncio.sleep(1)
            both.deployment.kill()

            clock.set(BRIEF - (clock.time() - began) - 10)
            await asyncio.sleep(20)  # the rule ends by itself, in the kernel

            clock.set(25 * HOUR)
            await _until(both, lambda daemon: any("policy is stale" in each for each in daemon["problems"]))
            identity = (await _status(both))["uplink"]["identity"]
            assert identity["expires"] < clock.time()
            assert "its certificate has expired" in identity["problem"]
            assert _loaded(both, clock) == before
            await asyncio.sleep(2)

            await asyncio.to_thread(both.deployment.start)
            await _until(both, lambda daemon: daemon["uplink"]["connected"])
            await _until(both, lambda daemon: not any("stale" in each for each in daemon["problems"]))
            state = await both.until(lambda state: state.connected and state.proved)
            assert state.identity_expires.ToSeconds() > clock.time()
            counts = await _counted(client)
        finally:
            end(client)
        assert not sniffer.frames(to=f"{OUT}/32")
    assert _loaded(both, clock) == before
    await both.settled(timeout=300)
    await _check_log(both, client.pid, counts, expires)


async def _check_log(both: Fleet, pid: int, counts: dict[tuple[str, int, str], int], expires: int) -> None:
    """Nothing is missing, and nothing was allowed too long, or denied too soon."""
    found = await both.timed_events()
    mine = [(seen, item) for seen, item in found if isinstance(item, Event) and item.tgid == pid and item.stage == 1]
    told = Counter((str(item.remote), item.remote_port, Verdict(item.verdict).name) for _, item in mine)
    assert told == counts
    assert all(count > 0 for count in counts.values())
    assert len(counts) == 4, "the brief rule has allowed, and then not any more"
    for seen, item in mine:
        if (str(item.remote), item.remote_port) == (IN, BRIEF_PORT):
            assert seen < expires + _SLACK_S if item.verdict == Verdict.ALLOW else seen > expires - _SLACK_S
    events = [item for _, item in found]
    assert len(notices(events, NoticeKind.NOTICE_KIND_STALE_POLICY)) == 1
    assert not notices(events, NoticeKind.NOTICE_KIND_LOST)
    assert not notices(events, NoticeKind.NOTICE_KIND_MAPS_ALTERED)
    renewed = [each for each in await both.actions() if each.kind == ControlAction.KIND_HOST_RENEWED]
    assert [each.actor.rpartition("/")[0].rpartition("/")[2] for each in renewed] == ["recover"]

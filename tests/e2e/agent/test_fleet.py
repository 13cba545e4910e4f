"""Agent and controller together: what one of them or both lose by SIGKILL (nothing), and how fast a word is kept."""

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from landfast.event import Event
from landfast.policy.layout import DEST, DEST_KEY
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import libbpf
from landfast_agent.maps import Maps
from tests.e2e.agent.campaign import VICTIMS, campaign, check
from tests.e2e.agent.fleet import CLASS, Fleet, end, fleet, line, notices
from tests.e2e.agent.test_tamper import put_into_audit_mode
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Sniffer

IN, OUT = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)
OPEN, CLOSED = "10.20.0.0/16", "192.0.2.0/24"

STREAM = f"""
import socket, time
sock = socket.create_connection(("{IN}", 443))
try:
    sock.sendall(b"x" * 1000)
    print("ready", flush=True)
    while data := sock.recv(65536):
        sock.sendall(data)
except OSError as error:
    print(type(error).__name__, time.monotonic(), flush=True)
"""
KNOCKS = 10_007
KNOCK = f"""
import socket, sys
print("ready", flush=True)
sys.stdin.readline()
refused = 0
for _ in range({KNOCKS}):
    with socket.socket() as sock:
        try:
            sock.connect(("{OUT}", 443))
        except PermissionError:
            refused += 1
print(refused, flush=True)
"""


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path) as made:
        yield made


@asynccontextmanager
async def workload(both: Fleet, network: Network, program: str) -> AsyncIterator["Popen[str]"]:
    process = both.tagged(network["enclave"], "/usr/bin/python3", "-c", program)
    try:
        yield process
    finally:
        end(process)


async def test_sigkill_of_agent_controller_and_both_loses_and_doubles_nothing(both: Fleet, servers: Network) -> None:
    victims = [*VICTIMS, *random.Random(2).choices(VICTIMS, k=4)]
    assert await campaign(both, servers["enclave"], victims, seed=2) > 1000


async def test_a_removed_rule_ends_a_stream_at_once_and_with_an_error(both: Fleet, servers: Network) -> None:
    both.start_agent()
    await both.allow(OPEN)
    with Sniffer(servers.router, "enclave", snap=128) as sniffer:
        async with workload(both, servers, STREAM) as client:
            assert await line(client) == "ready"
            await asyncio.sleep(0.3)
            removed = time.monotonic()
            version = await both.allow(CLOSED)
            proved = time.monotonic()
            error, when = (await line(client)).split()
        assert (error, float(when) - removed < 2) == ("ConnectionAbortedError", True)
        assert max(frame.time for frame in sniffer.frames(to=f"{IN}/32")) <= proved
    await both.settled()
    events = await both.events()
    refusal = next(item for item in events if isinstance(item, Event) and item.verdict == Verdict.DENY)
    found = (refusal.stage, refusal.reason, refusal.version, str(refusal.remote), refusal.remote_port)
    assert found == (Stage.EGRESS, Reason.NO_RULE, version, IN, 443)
    cut = notices(events, NoticeKind.NOTICE_KIND_CONNECTION_CUT)
    assert [notice.fields["cookies"] for notice in cut] == [str(refusal.cookie)]


async def test_an_altered_entry_is_reported_and_written_anew(both: Fleet) -> None:
    both.start_agent()
    await both.allow(OPEN)
    explain = ("explain", "--class", CLASS, IN, "tcp/80")
    assert both.host.run(*explain).returncode == 1
    alter(both)
    assert both.host.run(*explain).returncode == 0
    async with asyncio.timeout(15):
        while not (found := await altered(both)):
            await asyncio.sleep(0.1)
    assert found[0].actor.endswith("/agent/hall")
    await both.until(lambda state: state.proved)
    assert both.host.run(*explain).returncode == 1
    await both.settled()
    assert len(notices(await both.events(), NoticeKind.NOTICE_KIND_MAPS_ALTERED)) == 1


def alter(both: Fleet) -> None:
    """Opens every port of the allowed prefix to every class, behind the agent's back."""
    with Maps(both.host.instance) as maps:
        slot = (maps.control.get("generation") % 2).to_bytes(4, "little")
        identity = libbpf.map_lookup(maps.fd("dests"), slot, 4)
        assert identity is not None
        trie = libbpf.map_get_fd_by_id(int.from_bytes(identity, "little"))
        (key,) = libbpf.map_keys(trie, DEST_KEY.size)
        libbpf.map_update(trie, key, (2**64 - 1).to_bytes(8, "little").ljust(DEST.size, b"\0"))
        os.close(trie)


async def test_audit_mode_that_somebody_sets_in_the_kernel_is_known_to_the_controller(both: Fleet) -> None:
    both.start_agent()
    await both.allow(OPEN)
    assert (await both.state()).policy_state.enforced == [CLASS]
    put_into_audit_mode(both.host)
    async with asyncio.timeout(15):
        while not (found := await altered(both)):
            await asyncio.sleep(0.1)
    assert found[0].text.endswith(f"; in audit mode: {CLASS}")
    state = await both.until(lambda state: state.proved)
    assert (state.policy_state.enforced, state.policy_state.audited) == ([CLASS], [])


async def altered(both: Fleet) -> list[ControlAction]:
    return [action for action in await both.actions() if action.kind == ControlAction.KIND_MAPS_ALTERED]


async def test_what_is_wrong_on_a_host_is_told_to_its_controller(both: Fleet) -> None:
    """The canary cannot run: without a device that its packets end in it proves nothing."""
    config = both.host.directory / "agent.toml"
    config.write_text("canary_seconds = 1\n")
    hide = 'mount --bind /dev/null /dev/net/tun && exec "$0" "$@"'
    both.host.agent = ["unshare", "--mount", "sh", "-c", hide, *both.host.agent]
    both.start_agent(config)
    await both.allow(OPEN)
    state = await both.until(lambda state: state.health.problems)
    assert state.health.problems[0].startswith("canary: the canary does not run")


async def test_status_and_doctor_tell_until_when_the_identity_is_good(both: Fleet) -> None:
    both.start_agent()
    await both.allow(OPEN)
    expires = (await both.state()).identity_expires.ToSeconds()
    daemon = json.loads(both.host.run("status", "--json").stdout)["daemon"]
    assert daemon["uplink"]["identity"] == {"expires": expires, "problem": ""}
    assert "\nidentity    certificate until 20" in both.host.run("status").stdout
    words = " ".join(both.host.run("doctor").stdout.split())  # lines are folded
    assert "identity: spiffe://landfast.internal/agent/hall, certificate until 20" in words


async def test_what_a_full_ring_could_not_take_is_counted_in_the_log(both: Fleet, servers: Network) -> None:
    config = both.host.directory / "agent.toml"
    config.write_text("ring_bytes = 65536\n")
    both.start_agent(config)
    await both.allow(OPEN)
    assert both.agent
    async with workload(both, servers, KNOCK) as client:
        assert await line(client) == "ready"
        assert client.stdin
        both.agent.process.send_signal(signal.SIGSTOP)
        client.stdin.write("go\n")
        client.stdin.flush()
        assert await line(client) == str(KNOCKS)
        both.agent.process.send_signal(signal.SIGCONT)
        await both.settled()
        assert check(await both.events(), {(client.pid, Verdict.DENY): KNOCKS}) > KNOCKS // 2
        assert {finding.partition(":")[0] for finding in await both.findings()} == {"lost"}

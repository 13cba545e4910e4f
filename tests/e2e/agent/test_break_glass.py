"""What is opened in an emergency: on the host at once, and over by itself with nobody left to end it."""

import asyncio
import time
from pathlib import Path
from subprocess import Popen

import pytest

from landfast.policy.times import parse_time
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import NoticeKind
from tests.e2e.agent.fleet import CLASS, end, fleet, line, notices
from tests.e2e.controller.deployment import Deployment
from tests.e2e.controller.person import Person
from tests.testbed import DATA_CENTRE, Network

pytestmark = pytest.mark.long

IN, ELSEWHERE = str(DATA_CENTRE.ip4), "192.0.2.0/24"
KNOCK = f"""
import socket, sys
print("ready", flush=True)
for _ in sys.stdin:
    with socket.socket() as sock:
        sock.settimeout(10)
        try:
            sock.connect(("{IN}", 443))
            print("ok", flush=True)
        except OSError as error:
            print(type(error).__name__, flush=True)
"""


def _registered(deployment: Deployment, home: Path) -> Person:
    """The first approver, who may break the glass from now on."""
    person, offline, root = Person(deployment, home), deployment.directory / "offline", home / "2.root.json"
    person.login(deployment.directory / "first-approver.pem")
    public = person.says("key", "create", home / "glass.key", "--no-passphrase").strip()
    person.run("trust", "draft", "--break-glass", f"first-approver={public}", "--out", root)
    for key in (offline / "root-1.key", offline / "root-2.key", deployment.directory / "first-approver.key"):
        person.run("trust", "sign", root, "--key", key)
    person.run("trust", "publish", root)
    return person


async def _open(person: Person, seconds: int, status: int = 0) -> str:
    """Opens the data centre to the class, and waits for the host."""
    why = ("--reason", "hall 2 is down", "--ticket", "INC-7", "--key", person.home / "glass.key")
    words = ("break-glass", "open", CLASS, IN, "tcp/443", "--for", f"{seconds}s", *why, "--wait")
    return (await asyncio.to_thread(person.run, *words, status=status)).stderr


async def _knock(workload: "Popen[str]") -> str:
    assert workload.stdin
    workload.stdin.write("\n")
    workload.stdin.flush()
    return await line(workload)


@pytest.mark.timeout(300)
async def test_it_ends_with_the_agent_dead_and_the_controller_gone(servers: Network, tmp_path: Path) -> None:
    async with fleet(tmp_path) as both:
        person = await asyncio.to_thread(_registered, both.deployment, tmp_path)
        both.start_agent()
        await both.allow(ELSEWHERE)
        client = both.tagged(servers["enclave"], "/usr/bin/python3", "-c", KNOCK)
        try:
            assert await line(client) == "ready"
            assert await _knock(client) == "PermissionError"
            await _open(person, 20)
            assert await _knock(client) == "ok"
            until = parse_time((await asyncio.to_thread(person.json, "break-glass", "status"))["until"])
            await both.settled()
            [told] = notices(await both.events(), NoticeKind.NOTICE_KIND_BREAK_GLASS)
            assert told.fields["rules"].startswith(f"{CLASS} to {IN}/32 tcp/443 until ")
            assert [each.fields["by"] for each in await both.actions() if each.kind == ControlAction.KIND_BREAK_GLASS]

            both.kill_agent()
            both.deployment.kill()
            assert await _knock(client) == "ok"
            await asyncio.sleep(until - time.time() + 1)
            assert await _knock(client) == "PermissionError"

            await asyncio.to_thread(both.deployment.start)
            both.start_agent()
            await both.until(lambda state: state.proved and state.policy_state.version == 2)
            assert await _knock(client) == "PermissionError"
            assert "must be reviewed first" in await _open(person, 20, status=1)
            await asyncio.to_thread(person.run, "break-glass", "review", "--reason", "over", "--wait")
            await _open(person, 60)
            assert await _knock(client) == "ok"
        finally:
            end(client)

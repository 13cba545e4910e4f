"""A candidate that would deny what a real workload does: the workload does not notice, and the operator is told."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from landfast_agent import slots
from landfast_agent.clock import Clock
from landfast_agent.maps import Maps
from landfast_agent.slots import Loaded
from tests.e2e.agent.fleet import CLASS, Fleet, end, fleet, line
from tests.e2e.controller.deployment import CLI
from tests.e2e.controller.person import Person
from tests.testbed import DATA_CENTRE, Network, eventually

IN = str(DATA_CENTRE.ip4)
DENIES = f"""\
version: 1
data_classes:
  {CLASS}:
    allow:
      - {{to: 192.0.2.0/24, ports: [tcp/443], reason: somebody else}}
"""
WHY = ("--reason", "a test")

#: Sends a line for every line that it is given, and says what comes back.
ECHO = f"""
import socket, sys
with socket.create_connection(("{IN}", 443)) as sock:
    for given in sys.stdin:
        sock.sendall(given.encode())
        print(sock.recv(100).decode().strip(), flush=True)
"""


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path) as made:
        yield made


def loaded(both: Fleet) -> Loaded | None:
    """What the kernel holds, read back in full."""
    with Maps(both.host.instance) as maps:
        return slots.dump(maps, Clock(both.host.instance.state / "clock"))


async def status(person: Person, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What `landfast shadow status` says, once that holds; its exit status says whether anything would be denied."""
    command = [*CLI, "shadow", "status", "--json"]
    async with asyncio.timeout(60):
        while True:
            run = partial(subprocess.run, command, env=person.environment, capture_output=True, check=False)
            done = await asyncio.to_thread(run)
            told: dict[str, Any] = json.loads(done.stdout)
            if holds(told):
                assert done.returncode == bool(told["newly_denied"])
                return told
            await asyncio.sleep(0.1)


async def shadow_of(both: Fleet) -> Any:
    """What `landfast-agent status` says of it."""
    return (await asyncio.to_thread(both.host.json, "status"))["daemon"]["shadow"]


@asynccontextmanager
async def workload(both: Fleet, network: Network) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """A tagged client that is connected; gives what sends a word and returns what comes back."""
    client = both.tagged(network["enclave"], "/usr/bin/python3", "-c", ECHO)
    assert client.stdin

    async def ask(word: str) -> str:
        assert client.stdin
        client.stdin.write(f"{word}\n")
        client.stdin.flush()
        return await line(client)

    try:
        yield ask
    finally:
        end(client)


async def test_a_shadow_tells_what_it_would_deny_and_denies_nothing(
    both: Fleet, servers: Network, tmp_path: Path
) -> None:
    person = Person(both.deployment, tmp_path)
    await asyncio.to_thread(person.login, both.deployment.directory / "first-approver.pem")
    both.start_agent()
    await both.allow("10.20.0.0/16")
    before = loaded(both)
    garbage = person.policy("version: 1\ndata_classes: {}\nnonsense: 1\n")
    await asyncio.to_thread(person.complains, "shadow", "start", garbage, *WHY, status=2)
    async with workload(both, servers) as early:
        assert (await early("one"), await shadow_of(both)) == ("one", None)
        await asyncio.to_thread(person.says, "shadow", "start", person.policy(DENIES), *WHY)
        await status(person, lambda told: told["hosts"][0]["state"] == "judging")
        async with workload(both, servers) as late:
            assert await late("two") == "two"
            (flow,) = (await status(person, lambda told: told["newly_denied"]))["newly_denied"]
            assert (await early("three"), await late("four")) == ("three", "four")
    assert (flow["remote"], flow["port"], flow["host"], flow["reason"]) == (IN, 443, "hall", "NO_RULE")
    assert (await shadow_of(both))["newly_denied"] > 0
    assert loaded(both) == before
    told = await asyncio.to_thread(both.host.notices, "SHADOW")
    assert told[-1]["fields"]["newly_denied_1"].endswith(f" x {CLASS} -> {IN} tcp/443 by python3")
    await asyncio.to_thread(person.says, "shadow", "stop", *WHY)
    await status(person, lambda told: told["hosts"][0]["state"] == "stopped")
    await asyncio.to_thread(eventually, lambda: both.host.json("status")["daemon"]["shadow"] is None, "it is over")

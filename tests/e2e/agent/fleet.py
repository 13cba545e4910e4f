"""A controller and an enrolled host: both real, both to be killed. Its workloads run in the enclave's network."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from landfast import batch
from landfast.event import Event
from landfast.v1.audit_pb2 import ControlAction, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.batch_pb2 import Notice, NoticeKind
from landfast.v1.fleet_pb2 import GetHostRequest
from landfast.v1.fleet_pb2 import Host as HostState
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from tests.e2e.agent.host import Host
from tests.e2e.controller.deployment import CLI, Deployment
from tests.e2e.controller.person import Person
from tests.e2e.controller.policies import propose
from tests.e2e.uplink.logs import logged
from tests.testbed import Namespace, Program
from tests.testbed.leftovers import remove_instance

CLASS = "eea-user-data"
_NAME = "hall"
_VERDICTS = ("integrity", "completeness")
_HERE = Namespace("here")  # where the controller listens
_HERE.path = Path("/proc/self/ns/net")


class Fleet:
    """One controller, one host. `agent` is the daemon's process while it runs."""

    def __init__(self, deployment: Deployment, host: Host) -> None:
        self.deployment, self.host = deployment, host
        self.agent: Program | None = None

    async def enrol(self) -> None:
        token = self.host.directory / "token.pem"
        await self.deployment.token_file(token)
        words = ("--controller", self.deployment.address, "--token-file", token, "--host", _NAME)
        self.host.run("enroll", *words).check_returncode()

    def start_agent(self, config: str | Path = "/dev/null") -> None:
        """Without waiting until it is ready."""
        self.agent = self.host.daemon("--config", config)

    def kill_agent(self) -> None:
        assert self.agent
        assert self.agent.kill() == -signal.SIGKILL, f"the agent has ended by itself: {self.agent.output}"

    def kill_controller(self) -> None:
        program = self.deployment.program
        assert program
        assert program.kill() == -signal.SIGKILL, f"the controller has ended by itself: {program.output}"

    async def allow(self, prefix: str) -> int:
        """A policy that allows one prefix on tcp/443; its version, once this host has proved that it runs it."""
        version = (await propose(self.deployment, prefix)).policy.version
        await self.until(lambda state: state.proved and state.policy_state.version == version)
        return version

    async def until(self, holds: Any, timeout: float = 60) -> HostState:
        """Waits until `holds(what the controller knows about the host)`."""
        async with asyncio.timeout(timeout):
            while not holds(state := await self.state()):
                await asyncio.sleep(0.02)
        return state

    async def state(self) -> HostState:
        async with self.deployment.channel(self.deployment.approver) as channel:
            return (await FleetServiceStub(channel).GetHost(GetHostRequest(name=_NAME), wait_for_ready=True)).host

    async def news(self) -> None:
        """Waits until the controller has a batch that it has not had before the call."""
        known = (await self.state()).last_sequence
        await self.until(lambda state: state.last_sequence > known)

    async def settled(self, timeout: float = 60) -> None:
        """Waits until everything that the kernel has recorded is with the controller."""
        async with asyncio.timeout(timeout):
            while not await asyncio.to_thread(self._has_nothing_left):
                await asyncio.sleep(0.1)

    def _has_nothing_left(self) -> bool:
        daemon = self.host.asked()
        if not daemon or not daemon["uplink"]["connected"]:
            return False
        return daemon["recorder"]["waiting"] == daemon["spool"]["waiting"] == 0

    async def events(self) -> list[Event | Notice]:
        """The host's events in the controller's log, proved to be without a gap. Without its canary's."""
        return [item for _, item in await self.timed_events()]

    async def timed_events(self) -> list[tuple[float, Event | Notice]]:
        """The same with their times, in seconds of the host's CLOCK_REALTIME."""
        views = [batch.decode(data) for data in await logged(self.deployment, _NAME)]
        return [(view.unix_ns(item) / 1e9, item) for view in views for _, item in view if not view.is_canary(item)]

    async def findings(self) -> list[str]:
        """What an auditor finds wrong with the log as it is now, and what the host itself says that it lost."""
        auditor, size = Person(self.deployment, self.host.directory), await self._size()
        await asyncio.to_thread(auditor.login, self.deployment.directory / "first-approver.pem")
        async with asyncio.timeout(60):
            while (found := await asyncio.to_thread(_verified, auditor))["checkpoint"]["size"] < size:
                await asyncio.sleep(0.2)
        return [f"{each['kind']}: {each['text']}" for name in _VERDICTS for each in found[name]["findings"]]

    async def _size(self) -> int:
        """Entries of the log."""
        auditor = await self.deployment.identity("auditor")
        async with self.deployment.channel(auditor) as channel:
            stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
            return max([each.index async for each in stream]) + 1

    async def actions(self) -> list[ControlAction]:
        """What else is in the log."""
        auditor = await self.deployment.identity("auditor")
        async with self.deployment.channel(auditor) as channel:
            stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
            return [ControlAction.FromString(each.control) async for each in stream if each.control]

    def tagged(self, where: Namespace, *argv: str) -> "subprocess.Popen[str]":
        """A tagged workload with pipes, in another network than the agent's."""
        command = where.command(self.host.tagged(*argv, classes=CLASS))
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


async def line(workload: "subprocess.Popen[str]") -> str:
    """The next line that it prints."""
    assert workload.stdout
    return (await asyncio.to_thread(workload.stdout.readline)).strip()


def end(workload: "subprocess.Popen[str]") -> None:
    workload.kill()
    workload.communicate()


def notices(items: Iterable[Event | Notice], kind: "NoticeKind.ValueType") -> list[Notice]:
    return [item for item in items if isinstance(item, Notice) and item.kind == kind]


@asynccontextmanager
async def fleet(directory: Path, settings: str = "", prefix: Sequence[str] = ()) -> AsyncIterator[Fleet]:
    """A controller that runs, and a host that is enrolled there; its agent is not started yet.

    `settings` are lines of the controller's configuration, `prefix` comes before the command lines of both.
    """
    deployment, host = Deployment.make(), Host(_HERE, directory)
    deployment.settings, deployment.under, host.prefix = settings, tuple(prefix), prefix
    made = Fleet(deployment, host)
    try:
        deployment.start()
        await made.enrol()
        yield made
    finally:
        if made.agent:
            made.agent.kill()
        remove_instance(made.host.instance.name)
        deployment.remove()


def _verified(auditor: Person) -> dict[str, Any]:
    command = [*CLI, "audit", "verify", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, env=auditor.environment)
    found: dict[str, Any] = json.loads(done.stdout)
    return found

"""A controller in an attacker's hands: it has the deployment's authority, and says to agents whatever it likes.

It is made here, not by Landfast: what an attacker runs is nothing that our own server would do.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.serialization import Encoding

from landfast import batch
from landfast.channel import CONNECTED
from landfast.identity import Bundle, Role, SpiffeId, key_pem, new_key
from landfast.trust import anchor
from landfast.v1.agent_pb2 import EnrollResponse, PolicyState, PushResponse, SyncResponse
from landfast.v1.agent_pb2_grpc import AgentServiceServicer, add_AgentServiceServicer_to_server
from landfast.v1.policy_pb2 import Policy
from landfast_agent import slots
from landfast_agent.clock import Clock
from landfast_agent.maps import Maps
from landfast_agent.slots import Loaded
from landfast_controller.authority import SERVER_LIFETIME, Authority, requested_key
from tests.e2e.agent.host import Host
from tests.testbed import Namespace
from tests.testbed.leftovers import remove_instance

_DECIDED = (PolicyState.STATE_APPLIED, PolicyState.STATE_REJECTED)
_PATIENCE_S = 180  # for a command on a busy machine
_DOMAIN = "test.internal"


class Adversary(AgentServiceServicer):
    """Listens on a port of its own; one host."""

    def __init__(self) -> None:
        self.authority = Authority.create(_DOMAIN)
        self.connected = asyncio.Event()
        self._orders: asyncio.Queue[SyncResponse] = asyncio.Queue()
        self._states: asyncio.Queue[PolicyState] = asyncio.Queue()
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server, own = grpc.aio.server(), self.authority.issue_server(["127.0.0.1"])
        add_AgentServiceServicer_to_server(self, server)
        secret = grpc.ssl_server_credentials([(own.key, own.certificate)], self.authority.pem, True)
        self.port = server.add_secure_port(f"127.0.0.1:{self.port}", secret)
        await server.start()
        try:
            yield
        finally:
            await server.stop(0)

    def token(self, path: Path, root: bytes) -> None:
        """With the root metadata that a careful person has put there."""
        key = new_key()
        leaf = self.authority.issue(SpiffeId(_DOMAIN, Role.ENROL, "token"), key.public_key(), SERVER_LIFETIME)
        Bundle(key_pem(key), leaf.public_bytes(Encoding.PEM), self.authority.pem).write(path)
        if root:
            anchor.attach(path, root)

    # what the agent calls

    async def Enroll(self, request: Any, context: Any) -> EnrollResponse:
        holder = SpiffeId(_DOMAIN, Role.AGENT, request.host)
        leaf = self.authority.issue(holder, requested_key(request.csr), SERVER_LIFETIME)
        return EnrollResponse(certificate=leaf.public_bytes(Encoding.PEM), authority=self.authority.pem)

    async def Sync(self, requests: Any, context: Any) -> AsyncIterator[SyncResponse]:
        self._orders = asyncio.Queue()
        await context.send_initial_metadata(((CONNECTED, "yes"),))
        listening = asyncio.create_task(self._listen(requests))
        self.connected.set()
        try:
            while True:
                yield await self._orders.get()
        finally:
            self.connected.clear()
            listening.cancel()

    async def _listen(self, requests: Any) -> None:
        async for request in requests:
            if request.policy_state.state in _DECIDED:
                self._states.put_nowait(request.policy_state)

    async def Push(self, requests: Any, context: Any) -> AsyncIterator[PushResponse]:
        async for request in requests:
            yield PushResponse(acknowledged=batch.decode(request.batch).last)

    # what the attacker does

    async def send(self, proof: Mapping[str, bytes], canonical: bytes = b"", version: int = 0) -> PolicyState:
        """What the host says that it has made of it."""
        order = SyncResponse(policy=Policy(version=version, canonical=canonical, proof=proof))
        async with asyncio.timeout(180):
            while True:
                await self.connected.wait()
                self._orders.put_nowait(order)
                with suppress(TimeoutError):  # the connection was lost meanwhile
                    return await asyncio.wait_for(self._states.get(), 30)


class Captive:
    """A host that is enrolled at an attacker's controller, by the root metadata of an honest deployment."""

    def __init__(self, directory: Path, adversary: Adversary) -> None:
        here = Namespace("here")
        here.path = Path("/proc/self/ns/net")
        self.host, self._adversary = Host(here, directory), adversary

    async def enrol(self, root: bytes) -> Any:
        token = self.host.directory / "token.pem"
        self._adversary.token(token, root)
        words = ("--controller", f"127.0.0.1:{self._adversary.port}", "--token-file", token, "--host", "hall")
        return await asyncio.to_thread(self.host.run, "enroll", *words, timeout=_PATIENCE_S)

    async def start(self, *words: str | Path) -> None:
        self.agent = await asyncio.to_thread(self.host.start, *(words or ("--config", "/dev/null")))

    def kill(self) -> None:
        self.agent.kill()

    def end(self) -> None:
        """Nothing of it is left."""
        if hasattr(self, "agent"):
            self.kill()
        remove_instance(self.host.instance.name)

    def loaded(self) -> Loaded:
        """What the kernel holds, read without the agent."""
        with Maps(self.host.instance) as maps:
            found = slots.dump(maps, Clock(self.host.instance.state / "clock"))
        assert found
        return found

    async def status(self) -> Any:
        """What `status` says of the daemon."""
        done = await asyncio.to_thread(self.host.run, "status", "--json", timeout=_PATIENCE_S)
        return json.loads(done.stdout)["daemon"]

    async def notices(self, kind: str) -> list[dict[str, str]]:
        """The fields of this host's events of a kind."""
        words = ("events", "--last", "0", "--json")
        done = await asyncio.to_thread(self.host.run, *words, timeout=_PATIENCE_S)
        found = (json.loads(each) for each in done.stdout.splitlines())
        return [each["fields"] for each in found if each.get("notice") == kind]

    async def refusals(self) -> list[dict[str, str]]:
        return await self.notices("POLICY_REJECTED")


@asynccontextmanager
async def captive(directory: Path, root: bytes) -> AsyncIterator[tuple[Adversary, Captive]]:
    """Enrolled and running."""
    adversary = Adversary()
    async with adversary.listening():
        made = Captive(directory, adversary)
        try:
            (await made.enrol(root)).check_returncode()
            await made.start()
            yield adversary, made
        finally:
            made.end()

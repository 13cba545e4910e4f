"""Hosts without a kernel: they verify what they are sent as an agent does, and prove it at once."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grpc.aio import EOF, AioRpcError

from landfast.channel import CONNECTED
from landfast.identity import Bundle
from landfast.policy import canonical
from landfast.policy.tables import compile_policy
from landfast.trust.errors import TrustError
from landfast.trust.verifier import Accepted, Held, Verifier, policy_file
from landfast.v1.agent_pb2 import Health, Hello, PolicyState, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.policy_pb2 import Policy as PolicyMessage
from tests.e2e.controller.deployment import Deployment

_SIGN_OF_LIFE_S = 0.3


class Believer:
    """`taken` are the versions that it has believed, in order; `doubts` is whatever it could not believe."""

    def __init__(self, deployment: Deployment, name: str, bundle: Bundle, directory: Path) -> None:
        self.deployment, self.name, self._bundle = deployment, name, bundle
        self._verifier = Verifier.establish(directory / name, (deployment.directory / "1.root.json").read_bytes())
        self._state = PolicyState()
        self._held: Accepted | None = None
        self.taken: list[int] = []
        self.doubts: list[str] = []
        self.refuses = False  # to load any policy
        self.denied = 0  # denials that it counts
        self._task: asyncio.Task[None] | None = None
        self.connected, self.tells = asyncio.Event(), asyncio.Event()  # `tells`: what became of policies
        self.tells.set()

    @property
    def version(self) -> int:
        return self.taken[-1] if self.taken else 0

    async def connect(self) -> "Believer":
        """Keeps a connection until it is disconnected; returns when it is there."""
        self._task = asyncio.create_task(self._stay())
        async with asyncio.timeout(20):
            await self.connected.wait()
        return self

    async def disconnect(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        self.connected.clear()

    async def _stay(self) -> None:
        while True:
            try:
                await self._session()
            except AioRpcError:
                await asyncio.sleep(0.1)
            except Exception as error:
                self.doubts.append(repr(error))
                raise

    async def _session(self) -> None:
        async with self.deployment.channel(self._bundle) as channel:
            stream: Any = AgentServiceStub(channel).Sync()
            hello = Hello(kernel="6.18", loaded=self._state if self._held else None)
            await stream.write(SyncRequest(hello=hello))
            if CONNECTED in dict(await stream.initial_metadata()):
                self.connected.set()
            living = asyncio.create_task(self._live(stream))
            try:
                while (response := await stream.read()) is not EOF:
                    if not response.HasField("policy"):
                        continue
                    answer = self._answer(response.policy)
                    await self.tells.wait()
                    await stream.write(SyncRequest(policy_state=answer))
            finally:
                living.cancel()
                await asyncio.gather(living, return_exceptions=True)

    async def _live(self, stream: Any) -> None:
        while True:
            counters = [0] * 72
            counters[1 * 8 + 2] = self.denied
            await stream.write(SyncRequest(health=Health(counters=counters)))
            await asyncio.sleep(_SIGN_OF_LIFE_S)

    def _answer(self, policy: PolicyMessage) -> PolicyState:
        files = dict(policy.proof)
        for data in filter(None, (policy.canonical, self._held.policy if self._held else b"")):
            files[policy_file(canonical.digest(data))] = data
        try:
            accepted = self._verifier.accept(files, self._known(), time.time())
        except TrustError as error:
            self.doubts.append(f"policy {policy.version} after {self.version}: {error}")
            return PolicyState(version=policy.version, state=PolicyState.STATE_REJECTED, reason=str(error))
        if self.refuses:
            return PolicyState(version=policy.version, state=PolicyState.STATE_REJECTED, reason="map full")
        self._held = accepted
        self.taken.append(policy.version)
        self._state = _proved(accepted.policy)
        return self._state

    def _known(self) -> Held | None:
        return Held(canonical.decode(self._held.policy), self._held.targets) if self._held else None


def _proved(data: bytes) -> PolicyState:
    policy, digest = canonical.decode(data), canonical.digest(data)
    map_digest = compile_policy(policy, digest).digest
    return PolicyState(version=policy.version, state=PolicyState.STATE_APPLIED, digest=digest, map_digest=map_digest)


async def until(holds: Callable[[], bool], what: str, timeout: float = 30) -> None:
    try:
        async with asyncio.timeout(timeout):
            while not holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(what) from None

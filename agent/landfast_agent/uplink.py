"""The way to the controller: one mTLS channel with two streams, Sync for policies and Push for batches.

Import this module only on an enrolled host: gRPC takes memory that standalone mode need not pay.

Batches are sent in order, beginning after the last acknowledged one; a lost stream is begun anew from there, and the
controller stores what it gets twice only once. Nothing is forgotten before it is acknowledged.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
import structlog

from landfast.channel import CONNECTED, OPTIONS, credentials
from landfast.v1.agent_pb2 import Health, Hello, PolicyState, PushRequest, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.policy_pb2 import Policy
from landfast.v1.shadow_pb2 import Shadow
from landfast_agent.backoff import Backoff
from landfast_agent.errors import Unavailable
from landfast_agent.renewal import IdentityState, Renewal, Renewed
from landfast_agent.spool import Spool, Superseded

if TYPE_CHECKING:
    from landfast.v1.agent_pb2 import PushResponse, SyncResponse
    from landfast.v1.agent_pb2_grpc import AgentServiceAsyncStub
    from landfast_agent.promises import Promise

    _SyncCall = grpc.aio.StreamStreamCall[SyncRequest, SyncResponse]
    _PushCall = grpc.aio.StreamStreamCall[PushRequest, PushResponse]

_HEALTH_S = 5.0
_STATES = 64  # policy states that wait to be sent, the oldest give way: the newest is what counts
_HEALTHY_S = 60.0  # a session of this length forgets the failures before it
_REFUSED_S = 30.0  # before a refused batch is tried again
_DISK_S = 1.0  # before a failing spool is tried again
_SLOW_S = 1.0  # until a policy that is still being loaded is said to have arrived

#: The controller has read the batch and does not want it: sending it again at once would be of no use.
_REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
)

_log = structlog.get_logger()

_T = TypeVar("_T")


class Host(Protocol):
    """What the uplink asks of the daemon. Called in the event loop."""

    def hello(self) -> Hello: ...

    def health(self) -> Health: ...

    async def on_policy(self, policy: Policy) -> PolicyState:
        """Loads a policy and says what became of it. The next one waits until this returns; only the newest waits."""
        ...

    def on_shadow(self, shadow: Shadow) -> None:
        """Judges by a candidate from now on, without changing what is enforced."""
        ...


@dataclass(frozen=True)
class UplinkState:
    """What `status` tells of the connection."""

    controller: str
    connected: bool
    since: float  # when that began; seconds of CLOCK_REALTIME
    problem: str  # why it is not connected, or why its last attempt failed
    refused: str  # why the controller does not take our batches; empty when it does
    acknowledged: int  # everything up to this sequence number is the controller's
    identity: IdentityState


class _Closed(Exception):
    """The controller ended a stream in good order."""


#: How streams end; writing to one that has ended is an InvalidStateError.
_ENDINGS = (grpc.aio.AioRpcError, asyncio.InvalidStateError, _Closed, Unavailable, Renewed, Superseded)


class Uplink:
    """Keeps a host connected. All methods but `stored` belong to the event loop."""

    def __init__(self, controller: str, identity: Path, spool: Spool, host: Host) -> None:
        self._controller, self._renewal, self._spool, self._host = controller, Renewal(identity), spool, host
        self._loop = asyncio.get_running_loop()
        self._pushable, self._acked, self._arrived = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._progress = asyncio.Condition()
        self._states: asyncio.Queue[PolicyState] = asyncio.Queue(_STATES)
        self._policy: Policy | None = None
        self._promise: Promise | None = None  # as of the beginning of the connection
        self._newest_ack = self._acknowledged = 0
        self._connected, self._since, self._problem, self._refused = False, time.time(), "not tried yet", ""

    async def run(self) -> None:
        """Connects, and connects again, until cancelled."""
        self._disk = ThreadPoolExecutor(1, "landfast-uplink")
        try:
            raise await _ending(self._stay_connected(), self._apply_policies())
        finally:
            self._disk.shutdown(wait=False)

    def stored(self, _last: int) -> None:
        """The spool has more. For the recorder's thread."""
        self._loop.call_soon_threadsafe(self._pushable.set)

    def report(self, state: PolicyState) -> None:
        """Tells the controller what became of a policy. While it is away there is no need: Hello will say it."""
        if self._connected:
            if self._states.full():
                self._states.get_nowait()
            self._states.put_nowait(state)

    async def acknowledged(self, sequence: int) -> None:
        """Returns when the controller has everything up to `sequence`."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._acknowledged >= sequence)

    def state(self) -> UplinkState:
        return UplinkState(
            self._controller,
            self._connected,
            self._since,
            self._problem,
            self._refused,
            self._acknowledged,
            self._renewal.state(),
        )

    # the connection

    async def _stay_connected(self) -> None:
        backoff = Backoff()
        while True:
            began = self._loop.time()
            ending = await self._session()
            self._disconnected(ending)
            if await self._is_renewed(ending) or self._loop.time() - began > _HEALTHY_S:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _is_renewed(self, ending: Exception) -> bool:
        return isinstance(ending, Renewed) or await self._renewal.recover(self._controller, ending)

    async def _session(self) -> Exception:
        """One connection, with the identity as it is now on the disk; returns why it ended.

        What is promised is looked up first: while a host enrols it has no identity, so that what is found is no newer.
        """
        self._promise = await self._promised()
        try:
            bundle = self._renewal.identity().bundle
        except (OSError, ValueError) as error:  # the identity file
            return error
        async with grpc.aio.secure_channel(self._controller, credentials(bundle), OPTIONS) as channel:
            stub: AgentServiceAsyncStub = AgentServiceStub(channel)
            return await _ending(self._sync(stub), self._push(stub), self._renewal.keep(stub))

    async def _promised(self) -> "Promise | None":
        """None also while the spool cannot be read: policies come without it."""
        with suppress(Unavailable):
            return await self._on_disk(self._spool.promised)
        return None

    def _disconnected(self, error: Exception) -> None:
        problem = _words(error)
        if isinstance(error, (Renewed, Superseded)):
            _log.info(problem, controller=self._controller)
        elif self._connected or problem != self._problem:
            _log.warning("no connection to the controller", controller=self._controller, why=problem)
        if self._connected:
            self._connected, self._since = False, time.time()
        self._problem = problem

    # policies and shadows down, states up

    async def _sync(self, stub: "AgentServiceAsyncStub") -> None:
        call = stub.Sync()
        self._states = asyncio.Queue(_STATES)
        await call.write(SyncRequest(hello=self._host.hello()))
        if CONNECTED not in dict(await call.initial_metadata()):
            await self._receive(call)  # which tells why it is refused
        self._renewal.accepted()
        self._connected, self._since, self._problem = True, time.time(), ""
        _log.info("connected to the controller", controller=self._controller)
        raise await _ending(self._receive(call), self._tell(call))

    async def _receive(self, call: "_SyncCall") -> None:
        async for response in call:
            if response.HasField("shadow"):
                self._host.on_shadow(response.shadow)
            if response.HasField("policy"):
                self._policy = response.policy
                self._arrived.set()
        raise _Closed

    async def _tell(self, call: "_SyncCall") -> None:
        """States as they come, and a sign of life whenever none has come for a while."""
        while True:
            try:
                async with asyncio.timeout(_HEALTH_S):
                    state = await self._states.get()
            except TimeoutError:
                await call.write(SyncRequest(health=self._host.health()))
            else:
                await call.write(SyncRequest(policy_state=state))

    async def _apply_policies(self) -> None:
        """One after the other, also when the connection is lost meanwhile."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._policy:
                self.report(await self._applied(self._policy))

    async def _applied(self, policy: Policy) -> PolicyState:
        """What became of a policy. When that takes a while, it is told meanwhile that it has arrived."""
        telling = self._loop.call_later(_SLOW_S, self.report, _received(policy))
        try:
            return await self._host.on_policy(policy)
        finally:
            telling.cancel()

    # batches up

    async def _push(self, stub: "AgentServiceAsyncStub") -> None:
        """Streams batches. A refusal or a failing disk leaves the rest of the session alone."""
        while True:
            error = await self._push_once(stub)
            if isinstance(error, Unavailable):
                _log.error("cannot read the spool", why=str(error))
                await asyncio.sleep(_DISK_S)
            elif isinstance(error, grpc.aio.AioRpcError) and error.code() in _REFUSALS:
                self._refused = _words(error)
                _log.error("the controller refuses our batches; they are kept", why=self._refused)
                await asyncio.sleep(_REFUSED_S)
            else:
                raise error

    async def _push_once(self, stub: "AgentServiceAsyncStub") -> Exception:
        call = stub.Push()
        self._newest_ack = 0
        try:
            return await _ending(self._send(call), self._hear(call), self._settle())
        finally:
            call.cancel()

    async def _send(self, call: "_PushCall") -> None:
        """What the spool lets go, in order; more when there is more, or when an acknowledgement has made room."""
        sent = 0
        while True:
            self._pushable.clear()
            for sealed in await self._on_disk(partial(self._spool.pending, sent)):
                await call.write(PushRequest(batch=sealed.data))
                sent = sealed.last_sequence
            await self._pushable.wait()

    async def _hear(self, call: "_PushCall") -> None:
        async for response in call:
            self._newest_ack = max(self._newest_ack, response.acknowledged)
            self._acked.set()
        raise _Closed

    async def _settle(self) -> None:
        """Writes acknowledgements down, the newest of those that came meanwhile."""
        await self._advance()
        while True:
            await self._acked.wait()
            self._acked.clear()
            await self._on_disk(lambda: self._spool.acknowledge(self._newest_ack, self._promise))
            self._refused = ""
            await self._advance()
            self._pushable.set()

    async def _advance(self) -> None:
        statistics = await self._on_disk(self._spool.statistics)
        async with self._progress:
            self._acknowledged = statistics.acknowledged
            self._progress.notify_all()

    async def _on_disk(self, work: Callable[[], _T]) -> _T:
        """In the uplink's own thread: SQLite may wait for the disk."""
        return await self._loop.run_in_executor(self._disk, work)


def _received(policy: Policy) -> PolicyState:
    return PolicyState(version=policy.version, state=PolicyState.STATE_RECEIVED, digest=policy.digest)


async def _ending(*works: Coroutine[Any, Any, None]) -> Exception:
    """Runs `works`, none of which returns, until one fails, and then ends the others; why it was.

    That is a status of gRPC before what followed from it. What is not an ending is raised. (Before Python 3.13 a
    TaskGroup forgets that it was cancelled when one of its tasks fails at the same moment, and could not be ended.)
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    causes = [each for each in results if isinstance(each, Exception)]
    for each in causes:
        if not isinstance(each, _ENDINGS):
            raise each
    return next((each for each in causes if isinstance(each, grpc.aio.AioRpcError)), next(iter(causes), _Closed()))


def _words(error: Exception) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    return str(error) or "the controller closed the connection"

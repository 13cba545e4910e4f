"""AgentService: hosts join, get policies, prove what they run, and hand over their batches."""

import asyncio
from asyncio import Future
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import structlog
from cryptography.hazmat.primitives.asymmetric import ec

from landfast.channel import CONNECTED
from landfast.v1.agent_pb2 import (
    EnrollRequest,
    EnrollResponse,
    Hello,
    PolicyState,
    PushRequest,
    PushResponse,
    RenewRequest,
    RenewResponse,
    SyncRequest,
    SyncResponse,
)
from landfast.v1.agent_pb2_grpc import AgentServiceServicer
from landfast.v1.shadow_pb2 import Shadow
from landfast_controller import enrolment, hosts, renewal
from landfast_controller.authority import requested_key
from landfast_controller.beside import beside
from landfast_controller.callers import Caller, Context, current_caller
from landfast_controller.deployment import Deployment
from landfast_controller.errors import InvalidError, RefusedError
from landfast_controller.ingest import Signer
from landfast_controller.presence import Seat
from landfast_controller.renewal import Issued, Pair
from landfast_controller.rollout import records
from landfast_controller.store import Transaction
from landfast_controller.trust import RENEWAL_S

#: Batches of one stream that wait for their commit.
_WINDOW = 32

_log = structlog.get_logger()

_Pending = asyncio.Queue[Future[int] | None]


_Send = Callable[[SyncResponse], Awaitable[None]]


class _Writer:
    """The sending half of a stream, for several tasks: gRPC takes one message at a time."""

    def __init__(self, context: Context) -> None:
        self._context, self._turn = context, asyncio.Lock()

    async def send(self, response: SyncResponse) -> None:
        async with self._turn:
            await self._context.write(response)


@dataclass(frozen=True)
class AgentService(AgentServiceServicer):
    deployment: Deployment

    async def Enroll(self, request: EnrollRequest, context: Context) -> EnrollResponse:
        caller, host, key = current_caller(), enrolment.checked_host(request.host), requested_key(request.csr)
        signer, pair = enrolment.proved_signer(request), self._pair(host, key)
        self._settle(await self.deployment.store.write(lambda tx: enrolment.enrol(tx, caller, pair, signer)))
        _log.info("host enrolled", host=host, token=caller.name)
        certificate, recovery = pair.pem
        return EnrollResponse(certificate=certificate, authority=self.deployment.authority.pem, recovery=recovery)

    async def Renew(self, request: RenewRequest, context: Context) -> RenewResponse:
        caller, key = current_caller(), requested_key(request.csr)
        pair = self._pair(caller.name, key)
        self._settle(await self.deployment.store.write(lambda tx: renewal.renew(tx, caller, pair)))
        _log.info("certificate renewed", host=caller.name, by=caller.role, expires=str(pair.agent.not_valid_after_utc))
        certificate, recovery = pair.pem
        return RenewResponse(certificate=certificate, recovery=recovery)

    async def Sync(  # type: ignore[override]  # writes to the context: a generator could not clean up in time
        self, request_iterator: AsyncIterator[SyncRequest], context: Context
    ) -> None:
        caller = current_caller()
        hello = await _hello(context)
        with self.deployment.presence.connected(caller.name) as seat:
            await asyncio.shield(asyncio.ensure_future(self._greet(caller, hello)))
            await context.send_initial_metadata(((CONNECTED, "yes"),))
            _log.info("host connected", host=caller.name, policy=hello.loaded.version)
            send = _Writer(context).send
            try:
                async with (
                    beside(self._distribute(send, caller.name, hello.loaded)),
                    beside(self._shadow(send, caller.name, hello.shadow)),
                ):
                    await self._listen(context, caller, seat, hello.loaded)
            finally:
                _log.info("host disconnected", host=caller.name)
                await self.deployment.store.write(lambda tx: hosts.seen(tx, caller.name))

    async def Push(  # type: ignore[override]  # as above
        self, request_iterator: AsyncIterator[PushRequest], context: Context
    ) -> None:
        pending: _Pending = asyncio.Queue(_WINDOW)
        host = current_caller().name
        async with self.deployment.store.reading() as connection:
            signer = Signer(host, await hosts.event_key(connection, host))
        async with beside(self._take(request_iterator, signer, pending)):
            async for acknowledged in _settled(pending):
                await context.write(PushResponse(acknowledged=acknowledged))

    def _pair(self, host: str, key: ec.EllipticCurvePublicKey) -> Pair:
        return renewal.issue(self.deployment.authority, host, key, self.deployment.lifetimes)

    def _settle(self, issued: Issued) -> None:
        self.deployment.roster.admit_all(issued.pair)
        self.deployment.roster.withdraw(issued.ended)

    async def _greet(self, caller: Caller, hello: Hello) -> None:
        """Records the host's words, and that its certificate is in use. Not to be torn in two by a cancellation."""

        placement, held = self.deployment.placement, hello.loaded.version
        newest = placement.newest.policy.version if placement.newest else 0
        is_ahead = placement.of(caller.name) < held <= newest

        async def greet(transaction: Transaction) -> list[str]:
            await hosts.greeted(transaction, caller, hello)
            if is_ahead:
                await records.place(transaction, held, {caller.name: None})
            return await renewal.use(transaction, caller)

        self.deployment.roster.withdraw(await self.deployment.store.write(greet))
        if is_ahead:  # an older copy of the database does not know what the host was given
            placement.give(held, [caller.name])
        self.deployment.conductor.notice()

    async def _distribute(self, send: _Send, host: str, loaded: PolicyState) -> None:
        """Sends the version that the host is to have with its proof, and now and then a fresh proof alone.

        What the host has already is not sent again, but for the proof: by its age the host knows that it is not kept
        from a newer one.
        """
        sent = 0
        while True:
            number = await self._another(host, sent)
            await send(await self.deployment.offers.of(number, loaded, is_sent=number == sent))
            sent = number

    async def _shadow(self, send: _Send, host: str, told: Shadow) -> None:
        """Tells a host what to judge by, when that is something else than what it judges by already."""
        while True:
            told = await self.deployment.shadows.after(host, told)
            await send(SyncResponse(shadow=told))

    async def _another(self, host: str, sent: int) -> int:
        """The version that the host is to have when that is another one, or when its proof is to be renewed."""
        try:
            async with asyncio.timeout(RENEWAL_S if sent else None):
                return await self.deployment.placement.after(host, sent)
        except TimeoutError:
            return sent

    async def _listen(self, context: Context, caller: Caller, seat: Seat, loaded: PolicyState) -> None:
        """Takes in what the host says; `loaded` becomes what it has applied."""
        while (request := await context.read()) is not grpc.aio.EOF:
            seat.seen()
            match request.WhichOneof("message"):
                case "policy_state":
                    if request.policy_state.state == PolicyState.STATE_APPLIED:
                        loaded.CopyFrom(request.policy_state)
                    await self._report(caller, seat, request.policy_state)
                case "health":
                    seat.told(request.health)
                case "hello":
                    raise InvalidError("Sync: a second Hello; it is the first message of a stream and no other")

    async def _report(self, caller: Caller, seat: Seat, state: PolicyState) -> None:
        """RECEIVED is kept in memory: it says nothing that a host would not say again."""
        if state.state == PolicyState.STATE_RECEIVED:
            seat.received = state
            return
        if state.state != PolicyState.STATE_APPLIED:  # a whole fleet has no news to tell: its proofs are in the log
            name = PolicyState.State.Name(state.state).removeprefix("STATE_")
            _log.warning("policy state", host=caller.name, version=state.version, state=name, why=state.reason)
        await self.deployment.reports.record(caller, state)
        self.deployment.conductor.notice()
        seat.received = None

    async def _take(self, requests: AsyncIterator[PushRequest], signer: Signer, pending: _Pending) -> None:
        """Queues what arrives. A batch that is refused at once keeps its place behind those before it."""
        async for request in requests:
            try:
                stored = await self.deployment.ingest.submit(signer, request.batch)
            except RefusedError as refusal:
                stored = asyncio.get_running_loop().create_future()
                stored.set_exception(refusal)
            await pending.put(stored)
        await pending.put(None)


async def _hello(context: Context) -> Hello:
    request = await context.read()
    if request is not grpc.aio.EOF and request.HasField("hello"):
        hello: Hello = request.hello
        return hello
    raise InvalidError("Sync: the first message of the stream is not a Hello")


async def _settled(pending: _Pending) -> AsyncIterator[int]:
    """Acknowledgements, as they can be given; of several at once the newest, which says it all."""
    newest = 0
    while (stored := await pending.get()) is not None:
        if newest and (not stored.done() or stored.exception()):
            yield newest
        newest = await stored
        if pending.empty():
            yield newest
            newest = 0
    if newest:
        yield newest

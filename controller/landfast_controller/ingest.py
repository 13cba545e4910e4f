"""Batches into the log: one writer for all hosts, several batches to a commit.

What was acknowledged has been committed. A batch that is refused delays nobody else's. While one group is committed the
next one's signatures are checked, on a thread that needs no interpreter lock for it.
"""

import asyncio
from asyncio import Future
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy.exc import SQLAlchemyError

from landfast import batch, event_key
from landfast.batch import BatchError, BatchView, Sealed
from landfast.tlog.bundle import Kind
from landfast_controller import chain as chains
from landfast_controller import shadows
from landfast_controller.beside import beside
from landfast_controller.chain import Chain
from landfast_controller.errors import InvalidError, NotPermittedError, NotStoredError, RefusedError
from landfast_controller.store import NewEntry, Store, Transaction

#: Batches that wait, at most 60,000 bytes each: then agents wait, in their spools.
_QUEUE = 256

#: Batches of one transaction.
_GROUP = 64


@dataclass(frozen=True)
class Signer:
    """A host, and the public key by which it signs its batches."""

    host: str
    key: bytes


@dataclass(frozen=True, eq=False)
class _Arrival:
    """A batch that waits for its commit; `stored` becomes its last sequence number."""

    signer: Signer
    view: BatchView
    data: bytes
    stored: Future[int] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @cached_property
    def sealed(self) -> Sealed:
        return Sealed(self.data)

    @property
    def is_signed(self) -> bool:
        return self.sealed.is_signed_by(self.signer.key)

    @property
    def entry(self) -> NewEntry:
        return NewEntry(Kind.BATCH, self.data, self.sealed.digest, self.view.host, self.view.first, self.view.last)


Outcome = int | RefusedError


class Ingest:
    """The queue in front of the log."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._arrivals: asyncio.Queue[_Arrival] = asyncio.Queue(_QUEUE)
        self._proved: asyncio.Queue[list[_Arrival]] = asyncio.Queue(1)

    @property
    def depth(self) -> int:
        """Batches that wait."""
        return self._arrivals.qsize()

    async def submit(self, signer: Signer, data: bytes) -> Future[int]:
        """Queues a batch of this host; waits while the queue is full.

        The future gives the batch's last sequence number once it is durable, or a RefusedError.
        """
        arrival = _Arrival(signer, _decode(signer, data), data)
        await self._arrivals.put(arrival)
        return arrival.stored

    async def run(self) -> None:
        """Commits what arrives. Runs for as long as the controller."""
        async with beside(self._prove()):
            while True:
                group = await self._proved.get()
                for arrival, outcome in zip(group, await self._commit(group), strict=True):
                    _settle(arrival.stored, outcome)

    async def _prove(self) -> None:
        """Lets through what its host has signed."""
        while True:
            group = [await self._arrivals.get()]
            while len(group) < _GROUP and not self._arrivals.empty():
                group.append(self._arrivals.get_nowait())
            signed = await asyncio.to_thread(_signed, group)
            for arrival in group:
                if arrival not in signed:
                    _settle(arrival.stored, _not_signed(arrival.signer, arrival.view))
            if signed:
                await self._proved.put(signed)

    async def _commit(self, group: list[_Arrival]) -> list[Outcome]:
        try:
            return await self._store.write(lambda transaction: _store(transaction, group))
        except SQLAlchemyError as error:
            return [
                NotStoredError(f"the controller cannot write its log: {error}; keep the batch and send it again")
            ] * len(group)


def _signed(group: list[_Arrival]) -> list[_Arrival]:
    return [arrival for arrival in group if arrival.is_signed]


def _decode(signer: Signer, data: bytes) -> BatchView:
    try:
        view = batch.decode(data)
    except BatchError as error:
        raise InvalidError(f"{error}; it is not stored") from None
    if view.host != signer.host:
        raise NotPermittedError(
            f"batch of host {view.host!r}, sent by {signer.host!r}: an agent sends its own host's batches only"
        )
    return view


def _not_signed(signer: Signer, view: BatchView) -> RefusedError:
    what = "is not signed by" if view.message.signature else "is not signed at all, expected"
    return NotPermittedError(
        f"batch of host {signer.host!r} from sequence {view.first} {what} the event key that the host enrolled with, "
        f"{event_key.text(signer.key)}: restore event.key there, or, if that key is lost, move its spool away and "
        f"enrol it again (landfast fleet token create --host {signer.host})"
    )


async def _store(transaction: Transaction, group: list[_Arrival]) -> list[Outcome]:
    """Appends the batches that follow, then looks whether the others are there already."""
    known = await chains.load(transaction, [arrival.view for arrival in group])
    verdicts = [_extend(known, arrival) for arrival in group]
    added = [arrival for arrival, new in zip(group, verdicts, strict=True) if new is True]
    await transaction.append([arrival.entry for arrival in added])
    for arrival in added:
        await shadows.reported(transaction, arrival.view)
    if added:
        await chains.save(transaction, [known[host] for host in {arrival.view.host for arrival in added}])
    return [await _outcome(transaction, known, each, new) for each, new in zip(group, verdicts, strict=True)]


def _extend(known: dict[str, Chain], arrival: _Arrival) -> bool | RefusedError:
    chain = known[arrival.view.host]
    if chain.event_key != arrival.signer.key:  # enrolled again since the stream began
        return _not_signed(Signer(chain.host, chain.event_key), arrival.view)
    try:
        return chain.extend(arrival.view, arrival.sealed.digest)
    except RefusedError as refusal:
        return refusal


async def _outcome(
    transaction: Transaction, known: dict[str, Chain], arrival: _Arrival, new: bool | RefusedError
) -> Outcome:
    if isinstance(new, RefusedError):
        return new
    if not new:
        chain = known[arrival.view.host]
        try:
            await chains.check_repeated(transaction, chain, arrival.view, arrival.sealed.digest)
        except RefusedError as refusal:
            return refusal
    return arrival.view.last


def _settle(stored: Future[int], outcome: Outcome) -> None:
    if stored.cancelled():
        return
    if isinstance(outcome, RefusedError):
        stored.set_exception(outcome)
    else:
        stored.set_result(outcome)

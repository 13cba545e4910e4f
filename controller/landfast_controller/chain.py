"""A host's chain of batches: which batch may come next.

Sequence numbers go on without a gap, and each batch names the hash of the one before. After an enrolment a chain may
begin at another number: a host may have recorded for a while before it joined, or have lost its spool and been enrolled
again. The log tells such a beginning by the enrolment right before it, in which the host has said where it is: nothing
else lets a host jump, and after an enrolment by an agent that does not say so any number may be the first. A host that
is enrolled again and still has its spool goes on with the chain that it had, as if nothing had happened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, select, update

from landfast import batch
from landfast.batch import BatchView, ChainError
from landfast.beginning import Beginning
from landfast_controller import schema
from landfast_controller.errors import ConflictError
from landfast_controller.store import Transaction

_hosts, _beginnings = schema.hosts, schema.beginnings

_DIFFERENT = (
    "a different batch is stored under these numbers; two agents use this identity, or the host was set back to an "
    "older state"
)
_PRUNED = "what was stored under these numbers is pruned: nobody can tell whether it was this batch"


@dataclass
class Chain:
    """How far a host's chain reaches.

    `start` is the log index of the enrolment that it counts from, `enrolled` that of the newest one; `begun` tells that
    a batch came since. Until then `stored` holds hashes of its batches that may come again. `event_key` is the newest
    enrolment's, and so is `beginning`: None when it says nothing of that.
    """

    host: str
    last_sequence: int
    last_hash: bytes
    start: int
    enrolled: int
    begun: bool
    event_key: bytes
    beginning: Beginning | None = None
    stored: frozenset[bytes] = frozenset()

    def extend(self, view: BatchView, digest: bytes) -> bool:
        """Takes `view` as the next batch. False when it is behind us: then it must have been stored before.

        Raises ConflictError when it does not follow.
        """
        if digest in self.stored or (self.begun and view.last <= self.last_sequence):
            return False
        if self.begun:
            self._check_follows(view)
        elif not self._goes_on_with(view):
            self._check_begins(view)
            self.start = self.enrolled
        self.last_sequence, self.last_hash, self.begun = view.last, digest, True
        return True

    def _goes_on_with(self, view: BatchView) -> bool:
        if not self.last_sequence:
            return False
        try:
            batch.check_follows(view, self.last_sequence, self.last_hash)
        except ChainError:
            return False
        return True

    def _check_follows(self, view: BatchView) -> None:
        try:
            batch.check_follows(view, self.last_sequence, self.last_hash)
        except ChainError as error:
            raise ConflictError(f"{error}; {self.remedy}") from None

    def _check_begins(self, view: BatchView) -> None:
        begins = Beginning.of(view)
        if self.beginning not in (None, begins):
            raise ConflictError(
                f"the first batch of host {self.host!r} begins at {begins}: when it enrolled, the host said that it "
                f"would begin at {self.beginning}; {self.remedy}"
            )

    @property
    def remedy(self) -> str:
        return (
            "if the host has lost its spool, enrol it again with a token of its name "
            f"(landfast fleet token create --host {self.host})"
        )


async def load(transaction: Transaction, views: Sequence[BatchView]) -> dict[str, Chain]:
    """The chains of those hosts of `views` that are enrolled."""
    t, told = _hosts.c, _beginnings.c
    columns = (t.name, t.last_sequence, t.last_hash, t.chain_start, t.enrolled_index, t.chain_begun, t.event_key)
    by_newest = and_(told.host == t.name, told.index == t.enrolled_index)
    tables = _hosts.outerjoin(_beginnings, by_newest)
    wanted = select(*columns, told.first_sequence, told.previous).select_from(tables)
    rows = await transaction.connection.execute(wanted.where(t.name.in_({view.host for view in views})))
    chains = {}
    for *row, first, previous in rows:
        chain = Chain(*row)
        chain.beginning = None if first is None else Beginning(first, previous)
        chains[chain.host] = chain
    for chain in chains.values():
        if not chain.begun:
            chain.stored = await _stored(transaction, chain, [view.first for view in views if view.host == chain.host])
    return chains


async def _stored(transaction: Transaction, chain: Chain, firsts: list[int]) -> frozenset[bytes]:
    """Hashes of the batches that the chain holds with these first sequence numbers."""
    t = schema.log.c
    known = select(t.hash).where(t.host == chain.host, t.first_sequence.in_(firsts), t.index >= chain.start)
    return frozenset((await transaction.connection.execute(known)).scalars())


async def save(transaction: Transaction, chains: list[Chain]) -> None:
    """Records chains that a batch has just been added to."""
    statement = update(_hosts).where(_hosts.c.name == bindparam("host"))
    rows = [
        {
            "host": chain.host,
            "last_sequence": chain.last_sequence,
            "last_hash": chain.last_hash,
            "chain_start": chain.start,
            "chain_begun": chain.begun,
            "last_seen_ns": transaction.now_ns,
            "last_batch_ns": transaction.now_ns,
        }
        for chain in chains
    ]
    await transaction.connection.execute(statement, rows)


async def check_repeated(transaction: Transaction, chain: Chain, view: BatchView, digest: bytes) -> None:
    """Raises ConflictError unless exactly this batch is in the log already: its acknowledgement was lost on the way."""
    if view.last == chain.last_sequence and digest == chain.last_hash:
        return
    t = schema.log.c
    same = select(t.hash).where(t.host == view.host, t.first_sequence == view.first, t.index >= chain.start)
    stored = (await transaction.connection.execute(same)).scalar_one_or_none()
    if stored != digest:
        raise ConflictError(
            f"batch of host {view.host!r} with sequence {view.first} to {view.last}: expected sequence "
            f"{chain.last_sequence + 1}, and {_DIFFERENT if stored else _PRUNED}; {chain.remedy}"
        )

"""Proposed versions of the policy in the database, from the proposal to what became of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.trust import metadata
from landfast.v1.policy_pb2 import Change
from landfast_controller import schema
from landfast_controller.errors import ConflictError, NotFoundError
from landfast_controller.schema import LARGEST_INTEGER
from landfast_controller.store import Transaction
from landfast_controller.trust import Trust

#: How long a change waits for its approvals.
LIFETIME_NS = 7 * 86_400 * 10**9

_table = schema.changes
_AGAIN = "propose it again if it is still wanted"
_ENDED = {
    Change.STATE_ACCEPTED: "was accepted; take it back with `landfast policy rollback` if it is not wanted any more",
    Change.STATE_REJECTED: f"was rejected; {_AGAIN}",
    Change.STATE_WITHDRAWN: f"was withdrawn; {_AGAIN}",
    Change.STATE_EXPIRED: f"has expired; {_AGAIN}",
    Change.STATE_OVERTAKEN: f"was overtaken by another version; {_AGAIN}",
}


@dataclass(frozen=True)
class NewChange:
    """A proposal that has been checked."""

    version: int
    author: str
    reason: str
    ticket: str
    digest: bytes
    map_digest: bytes
    widenings: tuple[str, ...]
    targets: bytes
    canonical: bytes


async def add(transaction: Transaction, new: NewChange, shown: int) -> int:
    """Records a proposal, with the first `shown` ways in which it widens. Returns its number."""
    row = {
        "state": Change.STATE_OPEN,
        "version": new.version,
        "author": new.author,
        "reason": new.reason,
        "ticket": new.ticket,
        "created_ns": transaction.now_ns,
        "expires_ns": transaction.now_ns + LIFETIME_NS,
        "digest": new.digest,
        "map_digest": new.map_digest,
        "widens": "\n".join(new.widenings[:shown]),
        "widenings": len(new.widenings),
        "targets": new.targets,
        "canonical": new.canonical,
    }
    result = await transaction.connection.execute(insert(_table), row)
    assert result.inserted_primary_key
    return int(result.inserted_primary_key[0])


async def read(connection: AsyncConnection, number: int) -> Row[tuple[object, ...]]:
    """A change. Raises NotFoundError."""
    query = select(_table).where(_table.c.id == min(number, LARGEST_INTEGER))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"change {number} does not exist; `landfast change list` shows those that do")
    return row


async def newest(connection: AsyncConnection, before: int, limit: int) -> Iterable[Row[tuple[object, ...]]]:
    query = select(_table).order_by(_table.c.id.desc()).limit(limit)
    before = min(before, LARGEST_INTEGER)
    return await connection.execute(query.where(_table.c.id < before) if before else query)


async def sign(transaction: Transaction, number: int, targets: bytes) -> None:
    """Keeps targets metadata with more approvals."""
    await transaction.connection.execute(update(_table).where(_table.c.id == number).values(targets=targets))


async def close(transaction: Transaction, number: int, state: Change.State.ValueType, who: str, why: str) -> None:
    values = {"state": state, "closed_by": who, "closed_why": why}
    await transaction.connection.execute(update(_table).where(_table.c.id == number).values(values))


async def overtake(transaction: Transaction, version: int, who: str) -> None:
    """Ends what is still open once `version` was accepted: all of it was made on top of what is no longer newest."""
    values = {"state": Change.STATE_OVERTAKEN, "closed_by": who, "closed_why": f"policy {version} was accepted"}
    await transaction.connection.execute(update(_table).where(_table.c.state == Change.STATE_OPEN).values(values))


def state_of(row: Row[tuple[object, ...]], now_ns: int) -> Change.State.ValueType:
    expired = row.state == Change.STATE_OPEN and row.expires_ns <= now_ns
    state: Change.State.ValueType = Change.STATE_EXPIRED if expired else row.state
    return state


def check_open(row: Row[tuple[object, ...]], now_ns: int) -> None:
    """Raises ConflictError when nothing can become of it any more."""
    state = state_of(row, now_ns)
    if state != Change.STATE_OPEN:
        raise ConflictError(f"change {row.id} {_ENDED[state]}")


def message(row: Row[tuple[object, ...]], trust: Trust, now_ns: int, *, whole: bool) -> Change:
    """The wire form of a row, with its bytes when it is to be `whole`."""
    signed = metadata.read_targets(row.targets)
    change = Change(
        id=row.id,
        state=state_of(row, now_ns),
        author=row.author,
        reason=row.reason,
        ticket=row.ticket,
        version=row.version,
        digest=row.digest,
        approvers=sorted(metadata.approvers(trust.root, signed)),
        missing=trust.missing(signed, widens=row.widenings > 0),
        widens=row.widens.splitlines(),
        widenings=row.widenings,
        closed_by=row.closed_by,
        closed_why=row.closed_why,
    )
    change.created.FromNanoseconds(row.created_ns)
    change.expires.FromNanoseconds(row.expires_ns)
    if whole:
        change.canonical, change.targets = row.canonical, row.targets
    return change

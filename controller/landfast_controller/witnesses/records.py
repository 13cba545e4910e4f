"""Cosigned checkpoints in the database, by the ID of the witness's key: of each witness the newest.

In the same table is the one that they are asked to cosign now. What is known of one checkpoint is in every row of it.
"""

from collections.abc import Iterable

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import WitnessKey, joined
from landfast.tlog.note import VerifierKey
from landfast.tlog.witness import NEXT, path_of
from landfast_controller import schema
from landfast_controller.store import Transaction

_t = schema.witnessed


async def sizes(connection: AsyncConnection) -> dict[str, int]:
    """Entries of the checkpoints, by their paths."""
    return dict(map(tuple, await connection.execute(select(_t.c.path, _t.c.size))))


async def keep_only(transaction: Transaction, keys: Iterable[WitnessKey]) -> None:
    """Forgets witnesses that are none any more."""
    await transaction.connection.execute(delete(_t).where(_t.c.path.not_in([NEXT, *map(path_of, keys)])))


async def ask(transaction: Transaction, checkpoint: Checkpoint, note: bytes) -> None:
    """From now on this is the one to be cosigned."""
    await _put(transaction, [NEXT], checkpoint.size, note)


async def add(
    transaction: Transaction, checkpoint: Checkpoint, note: bytes, log: VerifierKey, keys: list[WitnessKey]
) -> None:
    """Keeps the cosignatures of `note`, which are right, with those that are there; older ones change nothing."""
    before = await sizes(transaction.connection)
    same = select(_t.c.note).where(_t.c.size == checkpoint.size)
    notes = [note, *(await transaction.connection.execute(same)).scalars()]
    whole = joined(notes, log, keys)
    await transaction.connection.execute(update(_t).where(_t.c.size == checkpoint.size).values(note=whole))
    newer = [path_of(key) for key in keys if key.signatures(note) and before.get(path_of(key), 0) < checkpoint.size]
    await _put(transaction, newer, checkpoint.size, whole)


async def _put(transaction: Transaction, paths: list[str], size: int, note: bytes) -> None:
    await transaction.connection.execute(delete(_t).where(_t.c.path.in_(paths)))
    rows = [{"path": path, "size": size, "note": note} for path in paths]
    if rows:
        await transaction.connection.execute(insert(_t), rows)

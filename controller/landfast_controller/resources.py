"""The log as https://c2sp.org/tlog-tiles lays it out: what is at which path.

A bundle of entries is the beginning of the file that holds them.
"""

import asyncio

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.tlog import merkle, minimum, tiles, witness
from landfast.tlog.errors import TlogError
from landfast.tlog.tiles import ENTRIES, Tile
from landfast_controller import schema
from landfast_controller.entries import MissingError
from landfast_controller.errors import InvalidError, NotFoundError, OutOfRangeError
from landfast_controller.pruning import records
from landfast_controller.store import Store

_log, _tiles, _checkpoint, _witnessed = schema.log.c, schema.tiles.c, schema.checkpoint.c, schema.witnessed.c


async def read(store: Store, path: str) -> bytes:
    """What is at `path`.

    Raises InvalidError for what is no path, NotFoundError beyond the newest checkpoint, OutOfRangeError for entries
    that are pruned.
    """
    async with store.reading() as connection:
        if path == tiles.CHECKPOINT:
            return await _newest(connection)
        if path.startswith(witness.PREFIX):
            return await _cosigned(connection, path)
        if path == minimum.PATH:
            return minimum.encode(await records.oldest(connection))
        tile = parsed(path)
        size = (await connection.execute(select(_checkpoint.size))).scalar_one()
        if tile.end > size:
            raise NotFoundError(f"{path}: it reaches to entry {tile.end}, and the newest checkpoint to {size}")
        if tile.level != ENTRIES:
            return await _hashes(connection, tile)
        end = await _end(connection, tile)
    return await _bundle(store, tile, end)


async def _newest(connection: AsyncConnection) -> bytes:
    """The newest checkpoint, with the cosignatures that there are of it."""
    both = schema.checkpoint.outerjoin(schema.witnessed, _checkpoint.size == _witnessed.size)
    query = select(func.coalesce(_witnessed.note, _checkpoint.note)).select_from(both).limit(1)
    note: bytes = (await connection.execute(query)).scalar_one()
    return note


async def _cosigned(connection: AsyncConnection, path: str) -> bytes:
    note: bytes | None = (
        await connection.execute(select(_witnessed.note).where(_witnessed.path == path))
    ).scalar_one_or_none()
    if note is None:
        raise NotFoundError(
            f"{path}: the controller's configuration names no such witness, or it has cosigned nothing yet"
        )
    return note


def parsed(path: str) -> Tile:
    """The tile at `path`. Raises InvalidError."""
    try:
        return Tile.parse(path)
    except TlogError as error:
        raise InvalidError(f"{error}; see https://c2sp.org/tlog-tiles") from None


async def _hashes(connection: AsyncConnection, tile: Tile) -> bytes:
    query = select(_tiles.hashes).where(_tiles.level == tile.level, _tiles.index == tile.index)
    hashes: bytes = (await connection.execute(query)).scalar_one()
    return hashes[: tile.width * merkle.SIZE]


async def _end(connection: AsyncConnection, tile: Tile) -> int:
    """Where the last entry of a bundle ends in its file."""
    oldest = await records.oldest(connection)
    if tile.begin < oldest:
        raise OutOfRangeError(f"{tile.path}: its entries are pruned; the log begins at index {oldest}")
    query = select(_log.offset + _log.size).where(_log.index == tile.end - 1)
    end: int = (await connection.execute(query)).scalar_one()
    return end


async def _bundle(store: Store, tile: Tile, end: int) -> bytes:
    try:
        return await asyncio.to_thread(store.entries.bundle, tile.index, end)
    except MissingError:
        async with store.reading() as connection:
            await _end(connection, tile)  # raises if it was pruned meanwhile
        raise

"""What the stored tree proves: that it goes on from an older one of itself."""

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.tlog import consistency, merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.tiles import Tile
from landfast.tlog.tree import Read, Tree
from landfast_controller import schema

_t = schema.tiles.c


async def prove(connection: AsyncConnection, old: int, checkpoint: Checkpoint) -> list[bytes]:
    """That the tree of `checkpoint` goes on from its first `old` entries. TlogError unless it is of this log."""
    return await connection.run_sync(lambda plain: consistency.prove(Tree(checkpoint, _reader(plain)), old))


def _reader(connection: Connection) -> Read:
    def read(path: str) -> bytes:
        tile = Tile.parse(path)
        query = select(_t.hashes).where(_t.level == tile.level, _t.index == tile.index)
        hashes: bytes = connection.execute(query).scalar_one_or_none() or b""
        return hashes[: tile.width * merkle.SIZE]

    return read

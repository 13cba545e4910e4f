"""The published log: its tree and its signed checkpoints, derived from the log that is stored.

An entry is durable when its transaction is committed; then it may be acknowledged. The tree follows within a second or
so: nothing in it is decided here, so whatever a crash leaves undone is done again, and comes out the same. Tiles and
checkpoint are one transaction, and the next tree begins with the one that was signed last: no checkpoint is signed that
an earlier one contradicts.
"""

import asyncio
from pathlib import Path
from typing import Self

import structlog
from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.tlog import merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.frontier import Frontier
from landfast.tlog.note import NoteSigner, VerifierKey
from landfast.tlog.tiles import Tile, partial
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import log_key, pages, schema
from landfast_controller.actions import action
from landfast_controller.errors import UnavailableError
from landfast_controller.store import Store, Transaction

#: Seconds between checkpoints: auditors are promised two at most.
_PERIOD_S = 1.0

#: Entries that one checkpoint adds at most. It bounds what a transaction writes.
_MOST = 4096

_tiles, _checkpoint = schema.tiles, schema.checkpoint

_log = structlog.get_logger()


class Publisher:
    """Signs the tree as the log grows."""

    def __init__(self, store: Store, signer: NoteSigner, frontier: Frontier) -> None:
        self._store = store
        self._signer = signer
        self._frontier = frontier

    @classmethod
    async def open(cls, store: Store, directory: Path, domain: str) -> Self:
        """Goes on from the newest checkpoint; a log that has none yet begins, with a key if there is none either.

        Raises UnavailableError when key, checkpoint, tree and log do not belong together.
        """
        async with store.reading() as connection:
            note = (await connection.execute(select(_checkpoint.c.note))).scalar_one_or_none()
            if note is not None:
                return cls(store, *await _resumed(connection, note, directory, domain))
        signer = _first_key(directory, domain)
        words = f"the log is published from here on: its checkpoints are signed by {signer.verifier}"
        begun = action(ControlAction.KIND_LOG_PUBLISHED, f"spiffe://{domain}/controller", str(signer.verifier), words)
        await store.write(lambda transaction: transaction.record(begun))
        return cls(store, signer, Frontier())

    @property
    def key(self) -> VerifierKey:
        """By which auditors know the log."""
        return self._signer.verifier

    @property
    def size(self) -> int:
        """Entries that the newest checkpoint tells of."""
        return self._frontier.size

    async def catch_up(self) -> None:
        """Returns when there is a checkpoint of everything that was in the log before the call."""
        head = self._store.head.index
        while self.size < head:
            await self._publish(min(head, self.size + _MOST))

    async def run(self) -> None:
        """Publishes what is stored. Runs for as long as the controller."""
        while True:
            await self._store.head.beyond(self.size)
            try:
                await self.catch_up()
            except SQLAlchemyError as error:
                _log.warning("the log is not published now; it is tried again", why=str(error), size=self.size)
            await asyncio.sleep(_PERIOD_S)

    async def _publish(self, size: int) -> None:
        """Makes the checkpoint of the first `size` entries."""
        frontier, grown = self._frontier.copy(), []
        while frontier.size < size:
            grown += frontier.extend(await self._leaves(frontier.size, size))
        grown += frontier.partial()
        note = Checkpoint(self._signer.name, size, frontier.root).sign(self._signer)
        await self._store.write(lambda transaction: _record(transaction, grown, size, note))
        self._frontier = frontier

    async def _leaves(self, begin: int, end: int) -> list[bytes]:
        """Hashes of some of the entries from `begin` to below `end`."""
        if recent := self._store.recent.of(begin, end):
            return recent
        async with self._store.reading() as connection:
            page = await pages.read(connection, begin, end, ())
        return [merkle.leaf_hash(entry.encoded) for entry in page.entries]


def _first_key(directory: Path, domain: str) -> NoteSigner:
    try:
        return log_key.load(directory, domain)
    except FileNotFoundError:
        return log_key.create(directory, domain)


async def _resumed(
    connection: AsyncConnection, note: bytes, directory: Path, domain: str
) -> tuple[NoteSigner, Frontier]:
    """The key, and the tree of the checkpoint that was signed last."""
    try:
        signer = log_key.load(directory, domain)
        checkpoint = Checkpoint.open(note, signer.verifier)
        edge = {tile: await _hashes(connection, tile) for tile in partial(checkpoint.size)}
        frontier = Frontier.read(checkpoint.size, edge.__getitem__)
    except FileNotFoundError as error:
        raise UnavailableError(f"log key {error.filename} is missing; restore it from a backup") from None
    except TlogError as error:
        raise UnavailableError(f"the newest checkpoint of the log: {error}; {_REMEDY}") from None
    if frontier.root != checkpoint.root:
        raise UnavailableError(
            f"the tree of the log does not lead to its newest checkpoint, of {checkpoint.size} entries; {_REMEDY}"
        )
    return signer, frontier


_REMEDY = "nothing is signed that auditors would find contradictory: restore database and log.key from one backup"


async def _hashes(connection: AsyncConnection, tile: Tile) -> bytes:
    """The hashes of a tile. Narrower ones are the beginning of what is stored."""
    query = select(_tiles.c.hashes).where(_tiles.c.level == tile.level, _tiles.c.index == tile.index)
    hashes: bytes = (await connection.execute(query)).scalar_one_or_none() or b""
    return hashes[: tile.width * merkle.SIZE]


async def _record(transaction: Transaction, grown: list[tuple[Tile, bytes]], size: int, note: bytes) -> None:
    rows = [{"level": tile.level, "index": tile.index, "hashes": hashes} for tile, hashes in grown]
    statement = upsert(_tiles)
    statement = statement.on_conflict_do_update(
        index_elements=["level", "index"], set_={"hashes": statement.excluded.hashes}
    )
    await transaction.connection.execute(statement, rows)
    await transaction.connection.execute(delete(_checkpoint))
    await transaction.connection.execute(insert(_checkpoint), {"size": size, "note": note})

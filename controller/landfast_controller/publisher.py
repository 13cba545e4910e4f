"""The published log: its tree and its signed checkpoints, derived from the log that is stored.

An entry is durable when its transaction is committed; then it may be acknowledged. The tree follows within a second or
so: nothing in it is decided here, so whatever a crash leaves undone is done again, and comes out the same. Tiles and
checkpoint are one transaction, and the next tree begins with the one that was signed last: no checkpoint is signed that
an earlier one contradicts, not even when the database was exchanged for an older one (landfast_controller.told).
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
from landfast_controller import log_key, pages, schema, told
from landfast_controller.actions import action
from landfast_controller.errors import UnavailableError
from landfast_controller.pruning import records
from landfast_controller.store import Store, Transaction

#: Seconds between checkpoints: auditors are promised two at most.
_PERIOD_S = 1.0

#: Entries that one checkpoint adds at most. It bounds what a transaction writes.
_MOST = 4096

_REMEDY = "restore database and log.key from one backup"

_tiles, _checkpoint = schema.tiles, schema.checkpoint

_log = structlog.get_logger()


class Publisher:
    """Signs the tree as the log grows. `known` is a checkpoint that somebody may have seen before we started."""

    def __init__(
        self, store: Store, directory: Path, signer: NoteSigner, frontier: Frontier, known: Checkpoint | None
    ) -> None:
        self._store = store
        self._directory = directory
        self._signer = signer
        self._frontier = frontier
        self._known = known

    @classmethod
    async def open(cls, store: Store, directory: Path, domain: str) -> Self:
        """Goes on from the newest checkpoint; a log that has none yet begins, with a key if there is none either.

        Raises UnavailableError when key, checkpoints, tree and log do not belong together.
        """
        async with store.reading() as connection:
            note = (await connection.execute(select(_checkpoint.c.note))).scalar_one_or_none()
            if note is None and not (directory / told.FILE).exists():
                return cls(store, directory, await _begin(store, directory, domain), Frontier(), None)
            signer = _key(directory, domain)
            frontier = await _resumed(connection, note, signer.verifier) if note else Frontier()
            oldest = await records.oldest(connection)
        if oldest > frontier.size:
            raise UnavailableError(
                f"the tree of the log has {frontier.size} entries, and {oldest} are pruned; {_REMEDY}"
            )
        known = told.read(directory, signer.verifier)
        if known and known.size > store.head.index:
            raise UnavailableError(
                f"the database holds {store.head.index} entries, and auditors may have seen {known.size} "
                f"({directory / told.FILE}): it is of an older backup; {told.REMEDY}"
            )
        return cls(store, directory, signer, frontier, known)

    @property
    def key(self) -> VerifierKey:
        """By which auditors know the log."""
        return self._signer.verifier

    @property
    def size(self) -> int:
        """Entries that the newest checkpoint tells of."""
        return self._frontier.size

    async def catch_up(self) -> None:
        """Returns when there is a checkpoint of everything that was in the log before the call.

        Raises UnavailableError when the log contradicts what was told.
        """
        self._check_known(self._frontier)
        head = self._store.head.index
        while self.size < head:
            known = self._known.size if self._known else 0
            await self._publish(min(known if known > self.size else head, self.size + _MOST))

    async def run(self) -> None:
        """Publishes what is stored. Runs for as long as the controller."""
        while True:
            await self._store.head.beyond(self.size)
            try:
                await self.catch_up()
            except (SQLAlchemyError, UnavailableError) as error:
                _log.warning("the log is not published now; it is tried again", why=str(error), size=self.size)
            await asyncio.sleep(_PERIOD_S)

    async def _publish(self, size: int) -> None:
        """Makes the checkpoint of the first `size` entries."""
        frontier, grown = self._frontier.copy(), []
        while frontier.size < size:
            grown += frontier.extend(await self._leaves(frontier.size, size))
        grown += frontier.partial()
        self._check_known(frontier)
        note = Checkpoint(self._signer.name, size, frontier.root).sign(self._signer)
        await asyncio.to_thread(told.write, self._directory, note)
        await self._store.write(lambda transaction: _record(transaction, grown, size, note))
        self._frontier = frontier

    def _check_known(self, frontier: Frontier) -> None:
        known = self._known
        if known and known.size == frontier.size and known.root != frontier.root:
            raise UnavailableError(
                f"the first {known.size} entries of the log are not those that auditors may have seen "
                f"({self._directory / told.FILE}); {told.REMEDY}"
            )

    async def _leaves(self, begin: int, end: int) -> list[bytes]:
        """Hashes of some of the entries from `begin` to below `end`."""
        if recent := self._store.recent.of(begin, end):
            return recent
        page = await pages.read(self._store, begin, end, ())
        return [merkle.leaf_hash(entry.encoded) for entry in page.entries]


async def _begin(store: Store, directory: Path, domain: str) -> NoteSigner:
    """The key of a log that is published from now on, and says so."""
    try:
        signer = log_key.load(directory, domain)
    except FileNotFoundError:
        signer = log_key.create(directory, domain)
    words = f"the log is published from here on: its checkpoints are signed by {signer.verifier}"
    begun = action(ControlAction.KIND_LOG_PUBLISHED, f"spiffe://{domain}/controller", str(signer.verifier), words)
    await store.write(lambda transaction: transaction.record(begun))
    return signer


def _key(directory: Path, domain: str) -> NoteSigner:
    try:
        return log_key.load(directory, domain)
    except FileNotFoundError as error:
        raise UnavailableError(f"log key {error.filename} is missing; restore it from a backup") from None


async def _resumed(connection: AsyncConnection, note: bytes, key: VerifierKey) -> Frontier:
    """The tree of the checkpoint that was signed last."""
    try:
        checkpoint = Checkpoint.open(note, key)
        edge = {tile: await _hashes(connection, tile) for tile in partial(checkpoint.size)}
        frontier = Frontier.read(checkpoint.size, edge.__getitem__)
    except TlogError as error:
        raise UnavailableError(f"the newest checkpoint of the log: {error}; {_REMEDY}") from None
    if frontier.root != checkpoint.root:
        raise UnavailableError(
            f"the tree of the log does not lead to its newest checkpoint, of {checkpoint.size} entries; {_REMEDY}"
        )
    return frontier


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

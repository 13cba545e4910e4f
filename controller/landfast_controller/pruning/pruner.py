"""Prunes the log by its policy: published, announced, covered by a checkpoint, then bundle by bundle.

Each bundle is a transaction of its own, oldest first, and their files go after all of them: whenever it is interrupted,
the log begins with a whole bundle and goes on without a gap, and the next run goes on from there. Only contents go. The
tree keeps all of its hashes.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from landfast.tlog.tiles import WIDTH
from landfast_controller import schema
from landfast_controller.pruning import records
from landfast_controller.publisher import Publisher
from landfast_controller.store import Store, Transaction

T = TypeVar("T")

#: Seconds between two prunings; the first comes after a start.
_PERIOD_S = 3600.0

#: Seconds between two looks whether a checkpoint tells of an announcement.
_LOOK_S = 0.2

#: Pages that a transaction gives back to the file system, 4 KiB each.
_PAGES = 256

_log = structlog.get_logger()


class Pruner:
    """`keep` is what the configuration says, `myself` who says so in the log."""

    def __init__(self, store: Store, publisher: Publisher, keep: timedelta | None, myself: object) -> None:
        self._store, self._publisher, self._keep, self._myself = store, publisher, keep, myself

    async def run(self) -> None:
        """Runs for as long as the controller."""
        while True:
            try:
                await self._prune()
            except (SQLAlchemyError, sqlite3.Error) as error:
                _log.warning("the log is not pruned now; it is tried again", why=str(error))
            await asyncio.sleep(_PERIOD_S)

    async def _prune(self) -> None:
        await self._store.write(self._announce)
        begin, end = await self._due()
        for below in range(begin + WIDTH, end + 1, WIDTH):
            await _gently(self._store.write(partial(_remove, below=below)))
        await asyncio.to_thread(self._store.entries.remove_before, max(begin, end))
        if begin < end:
            _log.info("pruned", entries=end - begin, oldest=end)
        if end:
            await self._give_back()

    async def _announce(self, transaction: Transaction) -> None:
        await records.publish(transaction, self._keep, self._myself)
        await records.announce(transaction, self._myself)

    async def _due(self) -> tuple[int, int]:
        """The entries that go now: announced, told by a checkpoint, and permitted also by what was published since."""
        async with self._store.reading() as connection:
            told, below = await records.newest(connection)
            end = min(below, await records.permitted(connection, time.time_ns()))
            begin = await records.oldest(connection)
        while begin < end and self._publisher.size <= told:
            await asyncio.sleep(_LOOK_S)
        return begin, end

    async def _give_back(self) -> None:
        """Shrinks the file until that helps no more. That of a release before pruning keeps its size, and uses what
        became free again."""
        before, left = -1, await _gently(self._store.shrink(_PAGES))
        while left != before:
            before, left = left, await _gently(self._store.shrink(_PAGES))


async def _remove(transaction: Transaction, below: int) -> None:
    await transaction.connection.execute(delete(schema.log).where(schema.log.c.index < below))


async def _gently(work: Awaitable[T]) -> T:
    """Rests for as long as `work` took: what hosts send waits for one such transaction at most."""
    started = time.monotonic()
    result = await work
    await asyncio.sleep(time.monotonic() - started)
    return result

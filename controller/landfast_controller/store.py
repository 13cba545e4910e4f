"""The database: one SQLite file, one writer at a time, readers that never wait for it.

Write-ahead log with synchronous=FULL: what was committed survives SIGKILL and power loss
(https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import structlog
from sqlalchemy import event, insert, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from landfast.tlog import merkle
from landfast.tlog.bundle import MAX_CONTENT, Entry, Kind
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import schema
from landfast_controller.errors import InvalidError, UnavailableError
from landfast_controller.head import Head
from landfast_controller.recent import RecentLeaves

T = TypeVar("T")

#: In order. The first two are for new files, and must come before anything is in them: a batch has up to 60,000 bytes,
#: large pages take it in few writes. The cache holds a transaction of many batches, and what is pruned is overwritten.
#: After 64 MiB the writer itself moves what `backfill` has left, and the write-ahead log begins anew.
_PRAGMAS = (
    "page_size = 16384",
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "wal_autocheckpoint = 4096",
    "cache_size = -16384",
    "synchronous = FULL",
    "foreign_keys = ON",
    "busy_timeout = 5000",
    "secure_delete = ON",
)


#: Entries, at most 64 KiB each, after which they are moved from the write-ahead log into the file.
_BACKFILL = 64

_log = structlog.get_logger()


@dataclass(frozen=True)
class NewEntry:
    """What is to be appended to the log. `digest` is the SHA-256 of `content`."""

    kind: Kind
    content: bytes
    digest: bytes
    host: str = ""
    first_sequence: int = 0
    last_sequence: int = 0


class Transaction:
    """One write transaction. `now_ns` is its time; it never runs backwards, whatever the clock does."""

    def __init__(self, connection: AsyncConnection, next_index: int, now_ns: int) -> None:
        self.connection = connection
        self.next_index = next_index
        self.now_ns = now_ns
        self.leaves: list[bytes] = []  # of the tree: what was appended here

    async def append(self, entries: Sequence[NewEntry]) -> None:
        """Appends to the log, in this order. Raises InvalidError for what is too large to be published."""
        rows = [self._row(index, entry) for index, entry in enumerate(entries, self.next_index)]
        if rows:
            hashing = asyncio.to_thread(_leaves, entries, self.now_ns)
            leaves, _ = await asyncio.gather(hashing, self.connection.execute(insert(schema.log), rows))
            self.next_index += len(rows)
            self.leaves += leaves

    async def record(self, *actions: ControlAction) -> None:
        """Appends control actions, dated by this transaction."""
        for action in actions:
            action.time.FromNanoseconds(self.now_ns)
        contents = [action.SerializeToString(deterministic=True) for action in actions]
        await self.append([NewEntry(Kind.CONTROL, each, hashlib.sha256(each).digest()) for each in contents])

    def _row(self, index: int, entry: NewEntry) -> dict[str, Any]:
        if len(entry.content) > MAX_CONTENT:
            raise InvalidError(
                f"an entry of {len(entry.content)} bytes: the log takes {MAX_CONTENT} at most; say it in fewer words"
            )
        return {
            "index": index,
            "received_ns": self.now_ns,
            "kind": entry.kind,
            "host": entry.host,
            "first_sequence": entry.first_sequence,
            "last_sequence": entry.last_sequence,
            "hash": entry.digest,
            "bytes": entry.content,
        }


def _leaves(entries: Sequence[NewEntry], now_ns: int) -> list[bytes]:
    return [merkle.leaf_hash(Entry(each.kind, now_ns, each.content).encode()) for each in entries]


class Store:
    """An open database."""

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine, head: Head) -> None:
        self.head = head
        self.recent = RecentLeaves()
        self._reader = reader
        self._writer = writer
        self._writing = asyncio.Lock()

    @classmethod
    async def create(cls, path: Path) -> Self:
        """Makes the tables in a new file."""
        engine = _engine(path, "BEGIN IMMEDIATE")
        async with engine.begin() as connection:
            await connection.run_sync(schema.metadata.create_all)
            await connection.execute(text(f"PRAGMA user_version = {schema.SCHEMA_VERSION}"))
        await engine.dispose()
        return await cls.open(path)

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Raises UnavailableError when the file cannot be used."""
        if not path.exists():
            raise UnavailableError(f"database {path} does not exist; run `landfast-controller init` first")
        reader, writer = _engine(path, "BEGIN"), _engine(path, "BEGIN IMMEDIATE")
        try:
            async with reader.connect() as connection:
                await _check_version(connection, path)
            async with writer.begin() as connection:
                await connection.run_sync(schema.derived.create_all)
                next_index, _ = await _newest(connection)
        except SQLAlchemyError as error:
            raise UnavailableError(f"database {path}: {error}; restore it from a backup") from error
        return cls(reader, writer, Head(next_index))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A consistent view. Not to be held while waiting for a client."""
        async with self._reader.connect() as connection:
            yield connection

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Runs `work` in a transaction of its own and returns its result after the commit.

        The transaction is finished even when the caller is cancelled meanwhile.
        """
        return await asyncio.shield(asyncio.ensure_future(self._write(work)))

    async def _write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self._writing:
            async with self._writer.begin() as connection:
                next_index, newest_ns = await _newest(connection)
                transaction = Transaction(connection, next_index, max(time.time_ns(), newest_ns))
                result = await work(transaction)
            self.recent.add(transaction.next_index, transaction.leaves)
            await self.head.advance(transaction.next_index)
        return result

    async def backfill(self) -> None:
        """Moves what is committed into the file, so that who commits need not. Runs for as long as the controller."""
        moved = self.head.index
        while True:
            moved = await self.head.beyond(moved + _BACKFILL - 1)
            try:
                async with self._reader.connect() as connection:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    await driver.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
            except (SQLAlchemyError, sqlite3.Error) as error:
                _log.warning("the write-ahead log of the database grows; it is tried again", why=str(error))

    async def shrink(self, pages: int) -> int:
        """Gives up to so many free pages back to the file system, in a transaction; returns how many are left.

        Raises sqlite3.Error when the file cannot be written.
        """
        async with self._writing, self._writer.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            await driver.executescript(f"PRAGMA incremental_vacuum({pages})")  # execute would free one page of them
            left: int = (await connection.execute(text("PRAGMA freelist_count"))).scalar_one()
            return left

    async def close(self) -> None:
        async with self._writing:
            await self._reader.dispose()
            await self._writer.dispose()


def _engine(path: Path, begin: str) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "begin", lambda connection: _begin(connection, begin))
    return engine


def _configure(connection: Any, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


async def _check_version(connection: AsyncConnection, path: Path) -> None:
    version = (await connection.execute(text("PRAGMA user_version"))).scalar_one()
    if version != schema.SCHEMA_VERSION:
        raise UnavailableError(
            f"database {path} has layout {version}, this controller works with {schema.SCHEMA_VERSION}; "
            "run the release that wrote it"
        )


async def _newest(connection: AsyncConnection) -> tuple[int, int]:
    """The next index of the log, and the time of its newest entry."""
    newest = select(schema.log.c.index, schema.log.c.received_ns).order_by(schema.log.c.index.desc()).limit(1)
    index, received_ns = (await connection.execute(newest)).one_or_none() or (-1, 0)
    return index + 1, received_ns

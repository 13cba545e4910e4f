"""The database: one SQLite file and the entries of the log beside it; one writer at a time, readers that never wait for
it.

Write-ahead log with synchronous=FULL: what was committed survives SIGKILL and power loss
(https://www.sqlite.org/pragma.html#pragma_synchronous). Entries are on the disk before the commit that tells of them.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

from sqlalchemy import event, func, insert, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from landfast.tlog import merkle
from landfast.tlog.bundle import HEAD_SIZE, MAX_CONTENT, Entry, Kind
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import schema
from landfast_controller.entries import Entries, Place, places
from landfast_controller.errors import InvalidError, UnavailableError
from landfast_controller.head import Head
from landfast_controller.recent import RecentLeaves

T = TypeVar("T")

#: The directory of the log's entries, beside the database.
LOG = "log"

#: In order. The first is for new files, and must come before anything is in them.
_PRAGMAS = (
    "auto_vacuum = INCREMENTAL",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "busy_timeout = 5000",
    "secure_delete = ON",
)


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

    def __init__(self, connection: AsyncConnection, entries: Entries, newest: "Newest | None") -> None:
        self.connection = connection
        self.next_index = newest.place.index + 1 if newest else 0
        self.now_ns = max(time.time_ns(), newest.received_ns if newest else 0)
        self.leaves: list[bytes] = []  # of the tree: what was appended here
        self._entries = entries
        self._end = newest.place.end if newest else 0

    async def append(self, entries: Sequence[NewEntry]) -> None:
        """Appends to the log, in this order. Raises InvalidError for what is too large to be published."""
        if not entries:
            return
        sizes = [self._size(entry) for entry in entries]
        found = [*places(self.next_index, self._end, sizes)]
        self.leaves += await asyncio.to_thread(self._write, self.next_index, self._end, entries)
        rows = [self._row(place, entry) for place, entry in zip(found, entries, strict=True)]
        await self.connection.execute(insert(schema.log), rows)
        self.next_index, self._end = self.next_index + len(rows), found[-1].end

    async def record(self, *actions: ControlAction) -> None:
        """Appends control actions, dated by this transaction."""
        for action in actions:
            action.time.FromNanoseconds(self.now_ns)
        contents = [action.SerializeToString(deterministic=True) for action in actions]
        await self.append([NewEntry(Kind.CONTROL, each, hashlib.sha256(each).digest()) for each in contents])

    def _size(self, entry: NewEntry) -> int:
        """Of the encoded entry."""
        if len(entry.content) > MAX_CONTENT:
            raise InvalidError(
                f"an entry of {len(entry.content)} bytes: the log takes {MAX_CONTENT} at most; say it in fewer words"
            )
        return HEAD_SIZE + len(entry.content)

    def _write(self, index: int, end: int, entries: Sequence[NewEntry]) -> list[bytes]:
        """Returns the leaves of the tree."""
        encoded = [Entry(each.kind, self.now_ns, each.content).encode() for each in entries]
        self._entries.append(index, end, encoded)
        return list(map(merkle.leaf_hash, encoded))

    def _row(self, place: Place, entry: NewEntry) -> dict[str, Any]:
        return {
            "index": place.index,
            "received_ns": self.now_ns,
            "kind": entry.kind,
            "host": entry.host,
            "offset": place.offset,
            "size": place.size,
            "first_sequence": entry.first_sequence,
            "last_sequence": entry.last_sequence,
            "hash": entry.digest,
            "bytes": entry.content,
        }


class Newest(NamedTuple):
    """The newest entry of the log."""

    place: Place
    received_ns: int


class Store:
    """An open database."""

    def __init__(self, reader: AsyncEngine, writer: AsyncEngine, entries: Entries, head: Head) -> None:
        self.entries = entries
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
        reader, writer, entries = _engine(path, "BEGIN"), _engine(path, "BEGIN IMMEDIATE"), Entries(path.with_name(LOG))
        try:
            async with reader.connect() as connection:
                await _check_version(connection, path)
            async with writer.begin() as connection:
                await connection.run_sync(schema.derived.create_all)
                newest = await _newest(connection)
                oldest = await connection.scalar(select(func.min(schema.log.c.index)))
            if newest:
                await asyncio.to_thread(entries.check, oldest, newest.place)
        except SQLAlchemyError as error:
            raise UnavailableError(f"database {path}: {error}; restore it from a backup") from error
        return cls(reader, writer, entries, Head(newest.place.index + 1 if newest else 0))

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
                transaction = Transaction(connection, self.entries, await _newest(connection))
                result = await work(transaction)
            self.recent.add(transaction.next_index, transaction.leaves)
            await self.head.advance(transaction.next_index)
        return result

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


async def _newest(connection: AsyncConnection) -> Newest | None:
    t = schema.log.c
    query = select(t.index, t.offset, t.size, t.received_ns).order_by(t.index.desc()).limit(1)
    if (row := (await connection.execute(query)).one_or_none()) is None:
        return None
    *place, received_ns = row
    return Newest(Place(*place), received_ns)

"""The log, read in pages: what a subscriber gets comes from the database, at the subscriber's own pace."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.tlog import bundle
from landfast.tlog.bundle import HEAD_SIZE, Kind
from landfast_controller import schema
from landfast_controller.entries import MissingError, Place
from landfast_controller.errors import OutOfRangeError
from landfast_controller.pruning import records
from landfast_controller.schema import LARGEST_INTEGER
from landfast_controller.store import Store

#: Entries of one page, at most 60,000 bytes each.
_PAGE = 32

_t = schema.log.c


@dataclass(frozen=True)
class Entry:
    """One entry of the log."""

    index: int
    received_ns: int
    kind: Kind
    content: bytes

    @property
    def encoded(self) -> bytes:
        """As the tree has it."""
        return bundle.Entry(self.kind, self.received_ns, self.content).encode()


@dataclass(frozen=True)
class Page:
    """Entries from one index up to `next`, as far as they were asked for."""

    entries: list[Entry]
    next: int


async def read(store: Store, start: int, head: int, hosts: Sequence[str]) -> Page:
    """The next page of `start` to below `head`: control actions, and batches of `hosts` (none: of all).

    Raises OutOfRangeError when some of that is pruned, EntriesError when a file cannot be read.
    """
    async with store.reading() as connection:
        if start < (oldest := await records.oldest(connection)):
            raise await _pruned(connection, f"index {start}", oldest)
        query = select(_t.index, _t.received_ns, _t.kind, _t.offset, _t.size)
        query = query.where(_t.index >= start, _t.index < head)
        if hosts:
            query = query.where(or_(_t.kind == Kind.CONTROL, _t.host.in_(hosts)))
        rows = (await connection.execute(query.order_by(_t.index).limit(_PAGE))).all()
    try:
        encoded = await asyncio.to_thread(store.entries.read, [Place(index, *place) for index, _, _, *place in rows])
    except MissingError:
        async with store.reading() as connection:
            if start < (oldest := await records.oldest(connection)):
                raise await _pruned(connection, f"index {start}", oldest) from None
        raise
    entries = [
        Entry(index, received_ns, Kind(kind), each[HEAD_SIZE:])
        for (index, received_ns, kind, *_), each in zip(rows, encoded, strict=True)
    ]
    return Page(entries, entries[-1].index + 1 if len(entries) == _PAGE else head)


async def first_since(connection: AsyncConnection, unix_ns: int) -> int | None:
    """Index of the first entry that was stored at `unix_ns` or later; None when there is none yet.

    Raises OutOfRangeError when it may be pruned.
    """
    query = (
        select(_t.index)
        .where(_t.received_ns >= min(unix_ns, LARGEST_INTEGER))
        .order_by(_t.received_ns, _t.index)
        .limit(1)
    )
    first = (await connection.execute(query)).scalar_one_or_none()
    if first is not None and first == (oldest := await records.oldest(connection)) > 0:
        raise await _pruned(connection, f"the time {_time(unix_ns)}", oldest)
    return first


async def _pruned(connection: AsyncConnection, what: str, oldest: int) -> OutOfRangeError:
    stored_ns = (await connection.execute(select(_t.received_ns).where(_t.index == oldest))).scalar_one()
    return OutOfRangeError(
        f"{what}: the log begins at index {oldest}, stored at {_time(stored_ns)}, and what was before it is pruned; "
        f"begin there (--from {oldest}), or look into a mirror of the log"
    )


def _time(unix_ns: int) -> str:
    return f"{datetime.fromtimestamp(unix_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"

"""The controller's log, read from beside it while it is written: what a reader sees there has been committed."""

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from landfast.tlog import bundle
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller.entries import Entries, Place
from landfast_controller.store import LOG

_QUERY = 'SELECT "index", offset, size FROM log WHERE "index" > ? ORDER BY "index"'


class Entry(NamedTuple):
    """When its transaction began, and when it was seen here: nanoseconds of CLOCK_REALTIME."""

    action: ControlAction
    received_ns: int
    seen_ns: int


class Log:
    """A database in `path`, from its newest entry on."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._entries = Entries(path.with_name(LOG))
        (self._last,) = self._connection.execute('SELECT coalesce(max("index"), -1) FROM log').fetchone()

    def close(self) -> None:
        self._connection.close()

    def news(self) -> list[Entry]:
        """What came since the last call. Only control actions are expected."""
        rows, now = self._connection.execute(_QUERY, (self._last,)).fetchall(), time.time_ns()
        self._last += len(rows)
        found = map(bundle.Entry.decode, self._entries.read([Place(*row) for row in rows]))
        return [Entry(ControlAction.FromString(each.content), each.received_ns, now) for each in found]

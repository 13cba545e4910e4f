"""The spool's SQLite file: its tables, how it is opened, how the tip is kept, and how others read the history."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from landfast_agent.errors import Unavailable

#: States of a batch: see spool.py.
WAITING, SEALED, ACKNOWLEDGED = 0, 1, 2

_VERSION = 2  # 1: batches were not signed

_PRAGMAS = """
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA journal_size_limit = 8388608;
    PRAGMA cache_size = -2048;
"""

_TABLES = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS batches (
        first_sequence INTEGER PRIMARY KEY,
        last_sequence INTEGER NOT NULL,
        state INTEGER NOT NULL,
        size INTEGER NOT NULL,
        allowed INTEGER NOT NULL,  -- records left of allowed flows
        other INTEGER NOT NULL,    -- other records left
        bytes BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS by_state ON batches (state, first_sequence, size);
    CREATE INDEX IF NOT EXISTS by_allowed ON batches (first_sequence) WHERE state = {WAITING} AND allowed > 0;
    CREATE INDEX IF NOT EXISTS by_other ON batches (first_sequence) WHERE state = {WAITING} AND other > 0;
    CREATE TABLE IF NOT EXISTS tip (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        host TEXT NOT NULL,
        next_sequence INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        ring TEXT NOT NULL,
        position INTEGER NOT NULL,
        counters TEXT NOT NULL,
        written_ns INTEGER NOT NULL,
        clean INTEGER NOT NULL
    ) STRICT;
    PRAGMA user_version = {_VERSION};
    COMMIT;
"""

#: Of landfast_agent.promises. Also in files that were made before there were any; numbers are never given twice.
_PROMISES = """
    CREATE TABLE IF NOT EXISTS promises (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        host TEXT NOT NULL,
        first_sequence INTEGER NOT NULL,
        previous BLOB NOT NULL,
        answered INTEGER NOT NULL DEFAULT 0,  -- 1: the controller has enrolled the host with it
        kept INTEGER NOT NULL DEFAULT 0       -- 1: the controller has what was promised
    ) STRICT;
"""


@dataclass(frozen=True)
class Mark:
    """How far which ring has been read, and the kernel's counters at that time."""

    ring: str = ""  # boot id and map id
    position: int = 0
    counters: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tip:
    """Where the host's sequence and chain stand."""

    host: str
    next_sequence: int = 1
    sealed: bytes = b""  # hash of the last sealed batch
    mark: Mark = Mark()
    written_ns: int = 0  # CLOCK_REALTIME of the last transaction; 0: never
    clean: bool = True  # whether the last writer said that it stopped


def path_in(state: Path) -> Path:
    return state / "spool.sqlite"


def connect(path: Path) -> sqlite3.Connection:
    """Opens the file for its one writer, making it when it is not there. Only its owner may read it."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.executescript(_PRAGMAS)
    ((version,),) = connection.execute("PRAGMA user_version")
    if version not in (0, _VERSION):
        raise Unavailable(
            f"spool {path} has format {version}, this agent writes {_VERSION}: install the agent that wrote it again, "
            "or move the file away and lose what it holds"
        )
    if version == 0:
        connection.executescript(_TABLES)
    connection.executescript(_PROMISES)


def load_tip(connection: sqlite3.Connection, host: str, path: Path) -> Tip:
    """The tip of `host`. A host of another name begins anew, unless the other's batches still wait."""
    rows = connection.execute(
        "SELECT host, next_sequence, sealed, ring, position, counters, written_ns, clean FROM tip"
    ).fetchall()
    if not rows:
        return Tip(host)
    owner, next_sequence, sealed, ring, position, counters, written_ns, clean = rows[0]
    if owner != host:
        return _begin_anew(connection, host, owner, path)
    mark = Mark(ring, position, tuple(map(int, counters.split())))
    return Tip(host, next_sequence, sealed, mark, written_ns, bool(clean))


def _begin_anew(connection: sqlite3.Connection, host: str, owner: str, path: Path) -> Tip:
    ((waiting,),) = connection.execute("SELECT count(*) FROM batches WHERE state < ?", (ACKNOWLEDGED,))
    if waiting:
        raise Unavailable(
            f"spool {path} holds {waiting} batches of host {owner!r} that its controller never got, and this is host "
            f"{host!r}: move the file away to begin a new one"
        )
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM batches")
    connection.execute("DELETE FROM tip")
    connection.execute("DELETE FROM promises WHERE host != ?", (host,))
    connection.execute("COMMIT")
    return Tip(host)


def save_tip(connection: sqlite3.Connection, tip: Tip) -> None:
    mark = tip.mark
    connection.execute(
        "INSERT OR REPLACE INTO tip VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(tip.host, tip.next_sequence, tip.sealed, mark.ring, mark.position),
            *(" ".join(map(str, mark.counters)), tip.written_ns, tip.clean),
        ),
    )


def history(path: Path, after: int = 0) -> Iterator[bytes]:
    """The batches of a spool with events after a sequence number, oldest first, without disturbing its writer.

    Batches that wait have no `previous` and no signature yet.
    """
    with closing(_reader(path)) as connection:
        while rows := connection.execute(
            "SELECT last_sequence, bytes FROM batches WHERE last_sequence > ? ORDER BY first_sequence LIMIT 32",
            (after,),
        ).fetchall():
            after = rows[-1][0]
            yield from (data for _, data in rows)


def last_sequence(path: Path) -> int:
    """The number of the newest event; 0 when there is none."""
    with closing(_reader(path)) as connection:
        rows = connection.execute("SELECT next_sequence FROM tip").fetchall()
    return rows[0][0] - 1 if rows else 0


def _reader(path: Path) -> sqlite3.Connection:
    if not path.exists():
        raise Unavailable(f"no events yet: {path} does not exist, since the agent of this instance has never run here")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)

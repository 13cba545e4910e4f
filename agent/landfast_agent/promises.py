"""Where this host says, when it enrols, that its events begin: kept in the spool until the controller has that.

Events from there on are promised to the controller of that enrolment. Who takes batches for done before it has them
would break the promise: a daemon that still runs on its own, or whose connection is of an enrolment before. So promises
are rows of the spool's file, where its writer meets them in each of its transactions. The newest counts.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from landfast import batch
from landfast.beginning import Beginning
from landfast_agent import spool_file
from landfast_agent.errors import Refused, Unavailable
from landfast_agent.spool_file import ACKNOWLEDGED, SEALED


@dataclass(frozen=True)
class Promise:
    """`id` is of no promise before."""

    id: int
    beginning: Beginning


@contextmanager
def promise(path: Path, host: str) -> Iterator[Beginning]:
    """Promises what the spool at `path` has for a controller that never had anything of `host`, and what will come.

    Is taken back when the body raises Refused. After any other failure somebody may have it in writing: it stands until
    a controller has what was promised, and meanwhile events wait. Raises Unavailable when the spool cannot be written.
    """
    with closing(_opened(path)) as connection:
        made = _make(connection, host, path)
        try:
            yield made.beginning
        except Refused:
            with _transaction(connection, path):
                connection.execute("DELETE FROM promises WHERE id = ?", (made.id,))
            raise
        with _transaction(connection, path):
            connection.execute("UPDATE promises SET answered = 1 WHERE id = ?", (made.id,))


def newest(connection: sqlite3.Connection, host: str) -> Promise | None:
    """What is promised of `host`, and not kept yet."""
    rows = connection.execute(
        "SELECT id, first_sequence, previous FROM promises WHERE host = ? AND kept = 0 ORDER BY id DESC LIMIT 1",
        (host,),
    ).fetchall()
    return Promise(rows[0][0], Beginning(*rows[0][1:])) if rows else None


def keep(connection: sqlite3.Connection, kept: Promise) -> None:
    """The controller has the beginning: the promise is kept, and those before it count no more."""
    connection.execute("UPDATE promises SET kept = 1 WHERE id <= ?", (kept.id,))


def since(connection: sqlite3.Connection, host: str) -> int:
    """The sequence number from which on everything is some controller's; 0 when `host` was never enrolled."""
    ((first,),) = connection.execute(
        "SELECT min(first_sequence) FROM promises WHERE host = ? AND answered = 1", (host,)
    )
    return first or 0


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return spool_file.connect(path)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(path, error) from error


def _make(connection: sqlite3.Connection, host: str, path: Path) -> Promise:
    with _transaction(connection, path):
        begins = _beginning(connection, host)
        made = connection.execute(
            "INSERT INTO promises (host, first_sequence, previous) VALUES (?, ?, ?) RETURNING id",
            (host, begins.first, begins.previous),
        )
        ((number,),) = made.fetchall()
    return Promise(number, begins)


def _beginning(connection: sqlite3.Connection, host: str) -> Beginning:
    """The oldest batch that waits, or the next one. A spool of a host of another name begins anew."""
    tips = connection.execute("SELECT next_sequence, sealed FROM tip WHERE host = ?", (host,)).fetchall()
    if not tips:
        return Beginning()
    ((following, sealed),) = tips
    oldest = "SELECT first_sequence, state, bytes FROM batches WHERE state < ? ORDER BY 1 LIMIT 1"
    for first, state, data in connection.execute(oldest, (ACKNOWLEDGED,)):
        return Beginning(first, batch.decode(data).previous if state == SEALED else sealed)
    return Beginning(following, sealed)


@contextmanager
def _transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> Unavailable:
    return Unavailable(f"spool {path}: {error}; make room or repair the disk")

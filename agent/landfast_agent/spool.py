"""Batches on disk until the controller has them, and for a while after that.

A batch goes through three states. *Waiting*: its events and sequence numbers are fixed, but not yet its place in the
hash chain; a full spool may still fold it. *Sealed*: it names the hash of the batch before it, is signed, and never
changes again; the oldest `IN_FLIGHT` unacknowledged batches are sealed, and only those are sent. *Acknowledged*:
history, kept for `landfast-agent events` until it takes too much room. Without a controller everything is history at
once, but for what is promised to one (promises.py).

What was read from the ring, and the position up to which it was read, are stored in one transaction, so that after
any crash the ring is read on from exactly there.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from landfast import batch
from landfast.v1.batch_pb2 import Batch, Notice, NoticeKind
from landfast_agent import folding, promises, spool_file
from landfast_agent.errors import Unavailable
from landfast_agent.promises import Promise
from landfast_agent.spool_file import ACKNOWLEDGED, SEALED, WAITING, Mark, Tip

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: What is folded first and what then: where it begins, and which records.
_STEPS: tuple[tuple[str, folding.Choice], ...] = (
    ("SELECT min(first_sequence) FROM batches WHERE state = 0 AND allowed > 0", folding.allowed_flows),
    ("SELECT min(first_sequence) FROM batches WHERE state = 0 AND other > 0", folding.everything),
)

#: Sealed batches that are not acknowledged, at most: what may be on its way to the controller.
IN_FLIGHT = 16


@dataclass(frozen=True)
class Limits:
    """Bytes of batches that are kept: acknowledged ones, and those that the controller does not have yet."""

    history: int = 64 << 20
    backlog: int = 512 << 20


@dataclass(frozen=True)
class Statistics:
    """What `status` tells of the spool."""

    last_sequence: int
    acknowledged: int  # everything up to here is the controller's, or nobody's without one
    backlog_bytes: int
    history_bytes: int

    @property
    def waiting_events(self) -> int:
        return self.last_sequence - self.acknowledged


@dataclass(frozen=True)
class Sealed:
    """A batch that may be sent."""

    last_sequence: int
    data: bytes


class Superseded(Exception):
    """The host has enrolled since: what a controller of before acknowledges, the one of now does not have."""

    def __str__(self) -> str:
        return "connecting anew, as this host has enrolled again"


class Spool:
    """The one writer of a spool file. For several threads.

    The file is opened when it is needed, and anew after every failure, so that a full or missing disk is reported by
    each call, as Unavailable, for as long as it lasts and no longer. While there is no key to sign with, batches wait,
    and `problem` says why; it is empty otherwise.
    """

    def __init__(
        self,
        path: Path,
        host: str,
        key: "Callable[[], Ed25519PrivateKey]",
        limits: Limits | None = None,
        *,
        standalone: bool = False,
    ) -> None:
        """`key` gives the host's event key, or raises Unavailable or OSError; then it is asked again."""
        self.path, self.host, self.standalone = path, host, standalone
        self._obtain_key = key
        self._key: Ed25519PrivateKey | None = None
        self.problem = ""
        self._limits = limits or Limits()
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._tip = Tip(host)
        self._sizes = [0, 0, 0]  # bytes by state

    @property
    def tip(self) -> Tip:
        """As of the last transaction."""
        with self._opened():
            return self._tip

    def append(self, drafts: Sequence[Batch], mark: Mark, *, clean: bool = False) -> int:
        """Stores `drafts` as the host's next batches, together with `mark`, durably. Returns the last sequence number.

        A draft is a Batch without `host`, `first_sequence`, `begins` and `previous`, of at most `folding.TARGET_BYTES`.
        `clean` says that nothing more will be written. Nothing is stored when it raises.
        """
        with self._transaction() as connection:
            self._tip = replace(self._tip, mark=mark, written_ns=time.time_ns(), clean=clean)
            for draft in drafts:
                self._add(connection, draft)
            self._move_on(connection)
            if drafts and self._backlog > self._limits.backlog:
                self._fold(connection, drafts[-1])
                self._move_on(connection)
            return self._tip.next_sequence - 1

    def pending(self, after: int = 0) -> list[Sealed]:
        """The batches to send, in order, beginning after a sequence number; at most `IN_FLIGHT`."""
        with self._opened() as connection:
            rows = connection.execute(
                "SELECT last_sequence, bytes FROM batches WHERE state = ? AND first_sequence > ? ORDER BY 1",
                (SEALED, after),
            )
            return [Sealed(*row) for row in rows]

    def promised(self) -> Promise | None:
        """What this host has promised when it enrolled, and its controller does not have yet."""
        with self._opened() as connection:
            return promises.newest(connection, self.host)

    def acknowledge(self, sequence: int, promise: Promise | None = None) -> None:
        """The controller has everything up to `sequence`, durably. What it was not sent it cannot have.

        `promise` is what was promised when the host connected to that controller. Raises Superseded when the host has
        promised these events to another one since.
        """
        with self._transaction() as connection:
            promised = promises.newest(connection, self.host)
            if promised and promised.beginning.first <= sequence:
                if promised != promise:
                    raise Superseded
                promises.keep(connection, promised)
            self._acknowledge(connection, sequence)
            self._move_on(connection)
        with self._opened() as connection:
            connection.executescript("PRAGMA incremental_vacuum(1024)")  # execute() would free one page only

    def statistics(self) -> Statistics:
        with self._opened() as connection:
            ((first,),) = connection.execute("SELECT min(first_sequence) FROM batches WHERE state < ?", (ACKNOWLEDGED,))
            last = self._tip.next_sequence - 1
            return Statistics(last, last if first is None else first - 1, self._backlog, self._sizes[ACKNOWLEDGED])

    def close(self) -> None:
        """Closes the file; a later call opens it again."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None

    # batches and their states

    @property
    def _backlog(self) -> int:
        return self._sizes[WAITING] + self._sizes[SEALED]

    def _add(self, connection: sqlite3.Connection, draft: Batch) -> None:
        draft.host, draft.first_sequence = self.host, self._tip.next_sequence
        draft.begins = promises.since(connection, self.host)
        self._insert(connection, draft)
        self._tip = replace(self._tip, next_sequence=self._tip.next_sequence + batch.size(draft))

    def _insert(self, connection: sqlite3.Connection, message: Batch) -> None:
        body, last = batch.encode(message), message.first_sequence + batch.size(message) - 1
        row = (message.first_sequence, last, WAITING, len(body), *folding.count_records(message), body)
        connection.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self._sizes[WAITING] += len(body)

    def _move_on(self, connection: sqlite3.Connection) -> None:
        """Seals what may be sent next, or without a controller all that is nobody's. Forgets the oldest history."""
        self._seal(connection)
        if self.standalone:
            promised = promises.newest(connection, self.host)
            own = promised.beginning.first - 1 if promised else self._tip.next_sequence
            while self._acknowledge(connection, own):
                self._seal(connection)
        self._forget(connection)

    def _seal(self, connection: sqlite3.Connection) -> None:
        if (key := self._signer()) is None:
            return
        ((sealed,),) = connection.execute("SELECT count(*) FROM batches WHERE state = ?", (SEALED,))
        waiting = connection.execute(
            "SELECT first_sequence, bytes FROM batches WHERE state = ? ORDER BY 1 LIMIT ?",
            (WAITING, IN_FLIGHT - sealed),
        )
        for first, body in waiting.fetchall():
            data = batch.seal(body, self._tip.sealed, key)
            self._tip = replace(self._tip, sealed=batch.digest(data))
            connection.execute(
                "UPDATE batches SET state = ?, size = ?, bytes = ? WHERE first_sequence = ?",
                (SEALED, len(data), data, first),
            )
            self._sizes[WAITING] -= len(body)
            self._sizes[SEALED] += len(data)

    def _signer(self) -> "Ed25519PrivateKey | None":
        try:
            self._key, self.problem = self._key or self._obtain_key(), ""
        except (Unavailable, OSError) as error:
            self.problem = str(error)
        return self._key

    def _acknowledge(self, connection: sqlite3.Connection, sequence: int) -> bool:
        """Whether any batch is new history by that."""
        rows = connection.execute(
            "UPDATE batches SET state = ? WHERE state = ? AND last_sequence <= ? RETURNING size",
            (ACKNOWLEDGED, SEALED, sequence),
        )
        sizes = [size for (size,) in rows.fetchall()]
        self._sizes[SEALED] -= sum(sizes)
        self._sizes[ACKNOWLEDGED] += sum(sizes)
        return bool(sizes)

    def _forget(self, connection: sqlite3.Connection) -> None:
        while self._sizes[ACKNOWLEDGED] > self._limits.history:
            rows = connection.execute(
                "DELETE FROM batches WHERE first_sequence = "
                "(SELECT min(first_sequence) FROM batches WHERE state = ?) RETURNING size",
                (ACKNOWLEDGED,),
            )
            self._sizes[ACKNOWLEDGED] -= sum(row[0] for row in rows.fetchall())

    # folding

    def _fold(self, connection: sqlite3.Connection, frame: Batch) -> None:
        """Makes a sixteenth of the room free, allowed flows first, and makes that an event. Spares notices."""
        before, spans = self._left(connection), []
        for oldest, which in _STEPS:
            while self._backlog > self._limits.backlog and (ends := self._fold_oldest(connection, oldest, which)):
                spans += ends
        if spans:
            after = self._left(connection)
            counts = [old - new for old, new in zip(before, after, strict=True)]
            self._add(connection, _folding_notice(frame, counts, min(spans), max(spans)))

    def _fold_oldest(self, connection: sqlite3.Connection, oldest: str, which: folding.Choice) -> list[int]:
        """Folds from the `oldest` batch on that has such records; gives the sequence numbers where batches end."""
        ((first,),) = connection.execute(oldest)
        touched: list[int] = []
        if first is not None:
            for message in folding.fold(self._take(connection, first), which):
                touched += message.first_sequence, message.first_sequence + batch.size(message) - 1
                self._insert(connection, message)
        return touched

    def _take(self, connection: sqlite3.Connection, first: int) -> Iterator[Batch]:
        """Takes waiting batches out, from sequence number `first` on, until there is room."""
        while self._backlog > self._limits.backlog * 15 // 16:
            rows = connection.execute(
                "DELETE FROM batches WHERE first_sequence = (SELECT min(first_sequence) FROM batches "
                "WHERE state = ? AND first_sequence >= ?) RETURNING last_sequence, bytes",
                (WAITING, first),
            ).fetchall()
            if not rows:
                return
            ((last, body),) = rows
            self._sizes[WAITING] -= len(body)
            first = last + 1
            yield Batch.FromString(body)

    def _left(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Records that wait and are not folded: allowed flows, and others."""
        ((allowed, other),) = connection.execute(
            "SELECT total(allowed), total(other) FROM batches WHERE state = ?", (WAITING,)
        )
        return int(allowed), int(other)

    # the file

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._connection = self._connection or self._open()
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                self.close()
                raise Unavailable(f"spool {self.path}: {error}; make room or repair the disk") from error
            except BaseException:
                self.close()
                raise

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """What is written in one go. After a failure everything is read anew from the file."""
        with self._opened() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            spool_file.save_tip(connection, self._tip)
            connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        connection = spool_file.connect(self.path)
        try:
            self._tip = spool_file.load_tip(connection, self.host, self.path)
            sizes = dict(connection.execute("SELECT state, sum(size) FROM batches GROUP BY state").fetchall())
        except BaseException:
            connection.close()
            raise
        self._sizes = [sizes.get(state, 0) for state in (WAITING, SEALED, ACKNOWLEDGED)]
        return connection


def _folding_notice(frame: Batch, counts: list[int], first: int, last: int) -> Batch:
    """A draft that tells of a folding, framed like `frame`."""
    notice = Notice(
        time_ns=time.time_ns(),
        kind=NoticeKind.NOTICE_KIND_FOLDED,
        text=f"spool full: of events {first} to {last}, {counts[0]} allowed and {counts[1]} others became counts",
        fields={"allowed": str(counts[0]), "other": str(counts[1]), "first": str(first), "last": str(last)},
    )
    return Batch(
        boot_id=frame.boot_id,
        clock_offset_ns=frame.clock_offset_ns,
        record_size=frame.record_size,
        notices=[notice],
    )

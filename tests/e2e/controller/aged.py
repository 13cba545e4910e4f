"""A deployment with a past: what its log would hold after months, written before it serves for the first time."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from landfast import batch, event_key
from landfast.tlog.bundle import Kind
from landfast.tlog.note import VerifierKey
from landfast.tlog.tiles import ENTRIES, Tile
from landfast.v1.audit_pb2 import ControlAction
from landfast_cli.mirroring import Mirror
from landfast_controller import resources
from landfast_controller.actions import action
from landfast_controller.pruning import records
from landfast_controller.publisher import Publisher
from landfast_controller.store import LOG, NewEntry, Store, Transaction
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import Deployment
from tests.testbed.event_keys import public

_DAY_NS = 24 * 3600 * 10**9
_BEGUN_DAYS = 100
_MYSELF = "spiffe://landfast.internal/controller"

Step = Callable[[Transaction], Awaitable[None]]


class Past:
    """Writes the log of a deployment that never ran, from 100 days ago on."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._chain = Chain("old")
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("UPDATE log SET received_ns = received_ns - ?", (_BEGUN_DAYS * _DAY_NS,))
            for offset, received_ns in connection.execute("SELECT offset, received_ns FROM log").fetchall():
                self._date(offset, received_ns)
        self.at(_BEGUN_DAYS, self._enrol)

    @property
    def database(self) -> Path:
        return self.deployment.directory / "landfast.db"

    def _date(self, offset: int, received_ns: int) -> None:
        """Gives an entry of the first bundle another time: eight bytes behind its kind."""
        with (self.database.parent / LOG / Tile(ENTRIES, 0).path).open("r+b") as file:
            file.seek(offset + 1)
            file.write(received_ns.to_bytes(8, "big"))

    @property
    def oldest(self) -> int:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            index: int = connection.execute('SELECT min("index") FROM log').fetchone()[0]
        return index

    @property
    def free_pages(self) -> int:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            number: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        return number

    def at(self, days: float, *steps: Step) -> "Past":
        """Does `steps` so many days ago."""
        received_ns = time.time_ns() - int(days * _DAY_NS)

        async def write(transaction: Transaction) -> None:
            transaction.now_ns = received_ns
            for step in steps:
                await step(transaction)

        async def run() -> None:
            store = await Store.open(self.database)
            await store.write(write)
            await store.close()

        asyncio.run(run())
        return self

    def batches(self, to: int, events: int = 1) -> Step:
        """Batches until the log has so many entries."""

        async def write(transaction: Transaction) -> None:
            made = self._chain.batches(to - transaction.next_index, events)
            views = [(data, batch.decode(data)) for data in made]
            await transaction.append(
                [NewEntry(Kind.BATCH, data, batch.digest(data), "old", view.first, view.last) for data, view in views]
            )

        return write

    async def _enrol(self, transaction: Transaction) -> None:
        key = event_key.text(public("old"))
        await transaction.record(action(ControlAction.KIND_HOST_ENROLLED, _MYSELF, "old", "enrolled", event_key=key))

    def publish(self) -> None:
        """Makes the tree and its checkpoint."""
        asyncio.run(self._publish())

    def mirror(self, directory: Path) -> None:
        """The copy that somebody made before anything was pruned."""
        key = VerifierKey.parse((self.deployment.directory / "log.pub").read_text())
        self.publish()
        Mirror(directory, key).update(lambda path: asyncio.run(self._resource(path)), lambda done, total: None)

    async def _publish(self) -> None:
        store = await Store.open(self.database)
        await (await Publisher.open(store, self.deployment.directory, "landfast.internal")).catch_up()
        await store.close()

    async def _resource(self, path: str) -> bytes:
        store = await Store.open(self.database)
        content = await resources.read(store, path)
        await store.close()
        return content


def keep(days: int) -> Step:
    """Publishes a policy of retention."""
    return lambda transaction: records.publish(transaction, timedelta(days=days), _MYSELF)


def pruned(below: int) -> Step:
    """Says that something is pruned, whether or not a policy permits it."""

    async def write(transaction: Transaction) -> None:
        words = f"the entries below {below} are pruned"
        made = action(ControlAction.KIND_LOG_PRUNED, _MYSELF, str(below), words)
        await transaction.record(made)

    return write


def removed(past: Past, below: int) -> None:
    """Takes entries away, behind the controller's back."""
    with closing(sqlite3.connect(past.database, timeout=30)) as connection, connection:
        connection.execute('DELETE FROM log WHERE "index" < ?', (below,))

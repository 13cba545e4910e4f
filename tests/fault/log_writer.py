"""Writes a log by the controller's own parts, in a child that can be killed, and reads it again as an auditor does."""

import asyncio
import os
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from landfast.audit.host import Host
from landfast.audit.integrity import Integrity
from landfast.audit.review import Expected, Review
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.tiles import CHECKPOINT
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller.actions import action
from landfast_controller.beside import beside
from landfast_controller.errors import RefusedError, UnavailableError
from landfast_controller.ingest import Ingest, Signer
from landfast_controller.initialise import DATABASE
from landfast_controller.publisher import Publisher
from landfast_controller.store import Store
from tests.testbed.event_keys import public
from tests.unit.tlog.served import served

DOMAIN = "bench.internal"

#: Exit status of a child that could not use the directory, and said so.
UNUSABLE = 3

_TRIES = 3
_HOUR_S = 3600


class Writer:
    """A child that waits for its word, then opens the log in a directory, appends batches and closes it.

    Says which sequence numbers were acknowledged by writev(2), which nothing that writes the log calls.
    """

    def __init__(self, directory: Path, host: str, batches: Sequence[bytes], errors: Path) -> None:
        self._go, go = os.pipe()
        said, self._say = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(go)
            os._exit(self._run(directory, host, batches, errors))
        os.close(self._go)
        os.close(self._say)
        self._word, self._said = go, said

    def begin(self) -> None:
        os.close(self._word)

    def end(self) -> tuple[int, int]:
        """Exit status (negative: the signal), and the last sequence number that was acknowledged."""
        with os.fdopen(self._said) as said:
            numbers = [int(line) for line in said]
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status), max(numbers, default=0)

    def _run(self, directory: Path, host: str, batches: Sequence[bytes], errors: Path) -> int:
        with errors.open("w") as told:  # before anything can fail
            os.read(self._go, 1)
            try:
                return asyncio.run(self._write(directory, host, batches))
            except BaseException:
                told.write(traceback.format_exc())
                return 1

    async def _write(self, directory: Path, host: str, batches: Sequence[bytes]) -> int:
        try:
            store = await Store.open(directory / DATABASE)
        except UnavailableError:
            return UNUSABLE
        try:
            publisher = await Publisher.open(store, directory, DOMAIN)
            ingest = Ingest(store)
            async with beside(ingest.run()):
                for data in batches:
                    await self._push(ingest, host, data)
                    with suppress(SQLAlchemyError, UnavailableError):  # the next one publishes it
                        await publisher.catch_up()
        except (SQLAlchemyError, UnavailableError):
            return UNUSABLE
        finally:
            await store.close()
        return 0

    async def _push(self, ingest: Ingest, host: str, data: bytes) -> None:
        for _ in range(_TRIES):
            with suppress(RefusedError):
                acknowledged = await (await ingest.submit(Signer(host, public(host)), data))
                os.writev(self._say, [b"%d\n" % acknowledged])
                return


async def fill(directory: Path, size: int) -> None:
    """Lets the log grow to so many entries."""
    store = await Store.open(directory / DATABASE)
    read = action(ControlAction.KIND_LOG_READ, f"spiffe://{DOMAIN}/auditor/vera", "log", "read")
    await store.write(lambda transaction: transaction.record(*[read] * (size - transaction.next_index)))
    await store.close()


async def read(directory: Path) -> dict[str, Host]:
    """What the log holds of each host, after it was published again. Raises AssertionError for any finding."""
    store = await Store.open(directory / DATABASE)
    try:
        publisher = await Publisher.open(store, directory, DOMAIN)
        await publisher.catch_up()
        assert publisher.size == store.head.index
        files = await served(store)
    finally:
        await store.close()
    integrity = Integrity(Checkpoint.open(files[CHECKPOINT], publisher.key), files.__getitem__)
    review = Review(integrity.verdict, Expected({}, _HOUR_S))
    for index, entry in integrity.entries():
        review.take(index, entry)
    assert [*review.integrity.findings, *review.completeness.findings] == []
    return review.hosts

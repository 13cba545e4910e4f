"""Who reads the log leaves a trace in it: once an hour, so that readers do not make it grow as they read.

Within the hour it is told again when somebody goes more than twice as far back as was told: that nobody hides a copy of
everything behind a look at the newest, and still no more than some dozens of entries.
"""

import time
from dataclasses import asdict, dataclass
from typing import Self

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import schema
from landfast_controller.actions import action
from landfast_controller.callers import Caller
from landfast_controller.store import Store, Transaction

_HOUR_NS = 3600 * 10**9

_log = structlog.get_logger()


@dataclass(frozen=True)
class Reading:
    """What the log says of a reader. `head` is how far it reached then."""

    name: str
    begin: int
    head: int
    told_ns: int

    def covers(self, begin: int, at_ns: int) -> bool:
        return self.told_ns <= at_ns < self.told_ns + _HOUR_NS and self.head - begin <= 2 * (self.head - self.begin)

    async def record(self, transaction: Transaction, how: str) -> None:
        words, fields = f"reads the log, from entry {self.begin} on", {"from": self.begin, "by": how}
        await transaction.record(action(ControlAction.KIND_LOG_READ, self.name, "log", words, **fields))
        row = upsert(schema.readers).values(**asdict(self))
        await transaction.connection.execute(row.on_conflict_do_update(index_elements=["name"], set_=asdict(self)))


class Exports:
    """The newest reading of each identity."""

    def __init__(self, store: Store, readings: list[Reading]) -> None:
        self._store = store
        self._told = {reading.name: reading for reading in readings}

    @classmethod
    async def load(cls, store: Store, connection: AsyncConnection) -> Self:
        return cls(store, [Reading(*row) for row in await connection.execute(select(schema.readers))])

    async def note(self, caller: Caller, begin: int, how: str) -> None:
        """Records that `caller` reads entries from `begin` on, by the method `how`.

        A log that cannot be written can be read all the same: it is then that people must know what happened.
        """
        name, now_ns = str(caller.id), time.time_ns()
        if (known := self._told.get(name)) and known.covers(begin, now_ns):
            return
        reading = self._told[name] = Reading(name, begin, self._store.head.index, now_ns)
        try:
            await self._store.write(lambda transaction: reading.record(transaction, how))
        except SQLAlchemyError as error:
            del self._told[name]
            _log.error("who reads the log cannot be written down", reader=name, begin=begin, why=str(error))

"""Who reads the log leaves a trace in it: once an hour, so that readers do not make it grow as they read.

Within the hour it is told again when somebody goes more than twice as far back as was told: that nobody hides a copy of
everything behind a look at the newest, and still no more than some dozens of entries.
"""

import time
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from landfast.v1.audit_pb2 import ControlAction
from landfast_controller.actions import action
from landfast_controller.callers import Caller
from landfast_controller.store import Store

#: Seconds for which a reader is known.
_HOUR_S = 3600.0

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Told:
    """What the log says of a reader. `head` is how far it reached then; `until` is on the monotonic clock."""

    begin: int
    head: int
    until: float

    def covers(self, begin: int) -> bool:
        return time.monotonic() < self.until and self.head - begin <= 2 * (self.head - self.begin)


class Exports:
    """Readers of the last hour, one of each identity."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._told: dict[str, _Told] = {}

    async def note(self, caller: Caller, begin: int, how: str) -> None:
        """Records that `caller` reads entries from `begin` on, by the method `how`.

        A log that cannot be written can be read all the same: it is then that people must know what happened.
        """
        name, known = str(caller.id), self._told.get(str(caller.id))
        if known and known.covers(begin):
            return
        self._told[name] = _Told(begin, self._store.head.index, time.monotonic() + _HOUR_S)
        words, fields = f"reads the log, from entry {begin} on", {"from": begin, "by": how}
        reading = action(ControlAction.KIND_LOG_READ, caller.id, "log", words, **fields)
        try:
            await self._store.write(lambda transaction: transaction.record(reading))
        except SQLAlchemyError as error:
            del self._told[name]
            _log.error("who reads the log cannot be written down", reader=name, begin=begin, why=str(error))

"""What became of policies on hosts, into the database: one commit for all that was told in a moment.

A fleet proves a new policy all at once: with a commit for each host, the last one would wait for a thousand.
"""

import asyncio
import time
from asyncio import Future
from dataclasses import dataclass, field

import structlog
from sqlalchemy.exc import SQLAlchemyError

from landfast.v1.agent_pb2 import PolicyState
from landfast_controller import hosts
from landfast_controller.callers import Caller
from landfast_controller.errors import NotStoredError
from landfast_controller.store import Store

#: Reports of one transaction: some tens of milliseconds, for which batches wait.
_GROUP = 1024

#: As long as more comes within so long, it is committed together: a commit takes milliseconds, whatever is in it, and
#: while a fleet answers these are what its last host waits for.
_GATHER_S = 0.05
_LONGEST_S = 0.5

_log = structlog.get_logger()


@dataclass(frozen=True)
class _Report:
    caller: Caller
    state: PolicyState
    stored: Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Reports:
    """The queue in front of the database. Each stream of a host has at most one report in it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._arrivals: asyncio.Queue[_Report] = asyncio.Queue()

    async def record(self, caller: Caller, state: PolicyState) -> None:
        """Returns when it is durable. Raises NotStoredError."""
        report = _Report(caller, state)
        self._arrivals.put_nowait(report)
        await report.stored

    async def run(self) -> None:
        """Commits what arrives. Runs for as long as the controller."""
        while True:
            group = await self._gathered()
            failure = await self._commit(group)
            _log.info("policy states", hosts=len(group), stored=failure is None)
            for report in group:
                _settle(report.stored, failure)

    async def _gathered(self) -> list[_Report]:
        """Reports that came one soon after the other, at least one."""
        group, ends = [await self._arrivals.get()], time.monotonic() + _LONGEST_S
        while len(group) < _GROUP and time.monotonic() < ends:
            await asyncio.sleep(_GATHER_S)
            if self._arrivals.empty():
                break
            while len(group) < _GROUP and not self._arrivals.empty():
                group.append(self._arrivals.get_nowait())
        return group

    async def _commit(self, group: list[_Report]) -> NotStoredError | None:
        told = [(report.caller, report.state) for report in group]
        try:
            await self._store.write(lambda transaction: hosts.reported(transaction, told))
        except SQLAlchemyError as error:
            return NotStoredError(f"the controller's database: {error}; it is tried again")
        return None


def _settle(stored: Future[None], failure: NotStoredError | None) -> None:
    if stored.cancelled():
        return
    if failure:
        stored.set_exception(failure)
    else:
        stored.set_result(None)

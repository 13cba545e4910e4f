"""Applies the rules to the log as it grows, each entry once, and looks for hosts that are silent.

It reads what is durable already, at its own pace: who stores batches does not wait for it.
"""

import asyncio
import time
from contextlib import suppress

import structlog
from google.protobuf.message import DecodeError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from landfast.batch import BatchError
from landfast_controller import pages, schema
from landfast_controller.config import Incidents
from landfast_controller.incidents import records
from landfast_controller.incidents.rules import DENIALS, SILENT_HOST, Finding, findings
from landfast_controller.incidents.tally import Tally
from landfast_controller.pages import Entry
from landfast_controller.presence import Presence
from landfast_controller.store import Store, Transaction

_NS = 1_000_000_000

_PAUSE_S = 0.5  # between two readings: its transactions are that far apart
_SILENCE_S = 5  # between two looks at the hosts
_AT_ONCE = 1000  # entries, after which what was found is written, or the cursor alone

#: Findings with their times, by rule and subject.
_Found = dict[tuple[str, str], list[tuple[Finding, int]]]

_log = structlog.get_logger()


class Watch:
    """`myself` is the controller's id, which stands in the log for what the rules find."""

    def __init__(self, store: Store, presence: Presence, limits: Incidents, myself: object) -> None:
        self._store, self._presence, self._myself = store, presence, myself
        self._silent_ns = int(limits.silent_after.total_seconds() * _NS)
        self._tally = Tally(limits.denials, int(limits.denials_window.total_seconds() * _NS))
        self._began_ns = time.time_ns()  # a host is not silent because the controller was away
        self._next = self._written = 0

    async def run(self) -> None:
        """Runs for as long as the controller. While the database cannot be written no incident is opened."""
        async with self._store.reading() as connection:
            start = await records.cursor(connection)
        self._next = self._written = self._store.head.index if start is None else start
        looked = 0.0
        while True:
            try:
                await self._read()
                if time.monotonic() - looked >= _SILENCE_S:
                    looked = time.monotonic()
                    await self._look()
            except SQLAlchemyError as error:
                _log.error("incidents cannot be written down; the log is read again", why=str(error))
                self._next = self._written
                self._tally.clear()
            await self._rest()

    async def _rest(self) -> None:
        await asyncio.sleep(_PAUSE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(_SILENCE_S):
                await self._store.head.beyond(self._next)

    async def _read(self) -> None:
        """Up to the newest entry; what is found is written once in a while."""
        while self._store.head.index > self._next:
            found = await self._some(min(self._store.head.index, self._next + _AT_ONCE))
            if found or self._next - self._written >= _AT_ONCE:
                await self._write(found)

    async def _some(self, end: int) -> _Found:
        """What the entries up to `end` have, page by page."""
        found: _Found = {}
        while self._next < end:
            page = await pages.read(self._store, self._next, end, ())
            for entry in page.entries:
                for finding in self._found(entry):
                    found.setdefault((finding.rule, finding.subject), []).append((finding, entry.received_ns))
            self._next = page.next
        return found

    def _found(self, entry: Entry) -> list[Finding]:
        """An entry that another release has stored, and this one cannot read, holds up nobody."""
        try:
            return [found for each in findings(entry) if (found := self._counted(each, entry.received_ns))]
        except (BatchError, DecodeError) as error:
            _log.error("the rules for incidents cannot read an entry of the log", index=entry.index, why=str(error))
            return []

    def _counted(self, finding: Finding, at_ns: int) -> Finding | None:
        """None for denials that are not many yet."""
        if finding.rule != DENIALS:
            return finding
        count = self._tally.add(finding.subject, finding.count, at_ns)
        return Finding(finding.rule, finding.subject, finding.text, finding.index, count) if count else None

    async def _write(self, found: _Found) -> None:
        """What was found, and how far: one transaction, so that no entry counts twice."""

        async def write(transaction: Transaction) -> None:
            for findings_of_one in found.values():
                await records.keep(transaction, findings_of_one, self._myself)
            await records.move(transaction, self._next)

        await self._store.write(write)
        self._written = self._next

    async def _look(self) -> None:
        """Hosts that are silent and were not told of since they were last heard. Banned ones are meant to be silent.

        What counts is evidence, which an agent sends once a minute at least: a host that is connected, and whose
        batches do not arrive, is silent too.
        """
        now_ns, host = time.time_ns(), schema.hosts.c
        async with self._store.reading() as connection:
            rows = await connection.execute(select(host.name, host.last_batch_ns).where(host.banned_ns.is_(None)))
            heard = {name: max(last_batch_ns, self._began_ns) for name, last_batch_ns in rows}
            silent = {name: at_ns for name, at_ns in heard.items() if now_ns - at_ns > self._silent_ns}
            opened = await records.newest_by_subject(connection, SILENT_HOST)
        fresh = [name for name, at_ns in silent.items() if opened.get(name, 0) <= at_ns]
        if fresh:
            await self._write({(SILENT_HOST, name): [(self._silence(name, silent[name]), now_ns)] for name in fresh})

    def _silence(self, host: str, at_ns: int) -> Finding:
        words = ", though it is connected" if self._presence.of(host) else ""
        text = f"no batch came from {host} for {(time.time_ns() - at_ns) // _NS} s{words}"
        return Finding(SILENT_HOST, host, text, max(self._store.head.index - 1, 0))

"""A candidate policy that judges, beside the policy in force, what this host records.

The judging is done by a process of its own, `shadow_judge`, which reads the spool: neither what is enforced nor what is
recorded can tell that it is there. Nothing of it is kept over a restart; the controller sends it again.
"""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from landfast import shadow
from landfast.policy import canonical
from landfast.v1.batch_pb2 import NoticeKind
from landfast.v1.shadow_pb2 import Shadow, ShadowReport
from landfast_agent.clock import Clock
from landfast_agent.spool import Spool

#: Makes something an event, with the report that it tells of.
Note = Callable[[NoticeKind.ValueType, str, dict[str, str], ShadowReport], object]

#: With the daemon's own libraries, which a package has where no interpreter looks by itself.
_PROGRAM = "import sys; sys.path[:] = sys.argv.pop(1).split(':'); from landfast_agent.shadow_judge import main; main()"

_LOOK_S = 60.0  # between looks at the clock
_LAST_WORDS_S = 5.0  # for the last report, when a shadow is over
_TEXT = 500  # characters of what it says instead
_LINE = 1 << 16  # characters of a report

_log = structlog.get_logger()


class Shadows:
    """The shadow of this host, one at a time. All methods belong to the event loop.

    One begins at most every `pause_s`: whoever holds the controller may send as many as they like.
    """

    def __init__(self, spool: Spool, clock: Clock, note: Note, pause_s: float = 10.0) -> None:
        self._spool, self._clock, self._note, self._pause_s = spool, clock, note, pause_s
        self._changed = asyncio.Event()
        self._wanted: Shadow | None = None
        self._running: Shadow | None = None
        self._report: ShadowReport | None = None

    @property
    def running(self) -> Shadow | None:
        """Which one judges now, without its policy."""
        return self._running

    def want(self, wanted: Shadow) -> None:
        """Begins a shadow, or ends the one there is, in `run`. What runs already goes on."""
        if self._wanted is None and self._running == _label(wanted):
            return
        self._wanted = wanted
        self._changed.set()

    def state(self) -> dict[str, Any] | None:
        """What `status` tells; None while nothing judges."""
        if self._running is None or self._report is None:
            return None
        counted = {change.value: count for change, count in shadow.counts(self._report).items()}
        return {"digest": self._running.digest.hex(), "until": self._running.until.ToJsonString()} | counted

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted, self._wanted = self._wanted, None
            if wanted and wanted.canonical:
                began = time.monotonic()
                await self._begin(wanted)
                await asyncio.sleep(began + self._pause_s - time.monotonic())

    async def _begin(self, wanted: Shadow) -> None:
        problem = self._problem(wanted)
        if problem:
            self._tell(ShadowReport(digest=canonical.digest(wanted.canonical), problem=problem, ended=True))
            return
        self._running = _label(wanted)
        try:
            async with self._judging(wanted) as process:
                await self._follow(process, wanted)
        finally:
            self._running = self._report = None

    def _problem(self, wanted: Shadow) -> str:
        """Why a shadow is refused before its policy is looked at; empty when it is not."""
        size = len(wanted.canonical)
        if size > shadow.MAX_BYTES:
            return f"it has {size} bytes, and a host takes at most {shadow.MAX_BYTES}"
        if canonical.digest(wanted.canonical) != wanted.digest:
            return "it is not the policy of the digest that came with it"
        left, longest = self._seconds_left(wanted), shadow.LONGEST_LIFETIME.total_seconds()
        if not 0 < left <= longest:
            return f"it was to last {left:.0f} s by this host's clock, and may last from now on up to {longest:.0f} s"
        return ""

    def _seconds_left(self, wanted: Shadow) -> float:
        return wanted.until.seconds - self._clock.now_ns() / 1e9

    @asynccontextmanager
    async def _judging(self, wanted: Shadow) -> AsyncIterator[Process]:
        """A process that judges what is recorded from now on; it is gone afterwards."""
        after = await asyncio.to_thread(lambda: self._spool.statistics().last_sequence)
        words = [str(self._spool.path), str(after), str(len(wanted.canonical))]
        command = [sys.executable, "-I", "-c", _PROGRAM, ":".join(filter(None, sys.path)), *words]
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_LINE)
        try:
            assert process.stdin
            process.stdin.write(wanted.canonical)
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _follow(self, process: Process, wanted: Shadow) -> None:
        """Tells what the process finds, until its time is over, another shadow is wanted, or it ends by itself."""
        reading, changed = asyncio.ensure_future(self._read(process)), asyncio.ensure_future(self._changed.wait())
        try:
            await self._over(wanted, reading, changed)
            assert process.stdin
            process.stdin.close()
            await asyncio.wait((reading,), timeout=_LAST_WORDS_S)
        finally:
            reading.cancel()
            changed.cancel()
            await asyncio.gather(reading, changed, return_exceptions=True)

    async def _over(self, wanted: Shadow, *others: asyncio.Future[Any]) -> None:
        """Returns when its time is over by this host's clock, which may be set, or one of `others` is done."""
        while (left := self._seconds_left(wanted)) > 0:
            done, _ = await asyncio.wait(others, timeout=min(left, _LOOK_S), return_when=asyncio.FIRST_COMPLETED)
            if done:
                return

    async def _read(self, process: Process) -> None:
        """Every report; when there was no last one, why."""
        assert process.stdout
        assert process.stderr
        ended = False
        async for line in process.stdout:
            report = ShadowReport.FromString(bytes.fromhex(line.decode()))
            self._tell(report)
            ended = report.ended
        if not ended and self._running:
            last = (await process.stderr.read()).decode(errors="replace").strip().rpartition("\n")[2]
            problem = f"the process that judges has ended: {last[:_TEXT] or 'see the kernel log'}"
            self._tell(ShadowReport(digest=self._running.digest, problem=problem, ended=True))

    def _tell(self, report: ShadowReport) -> None:
        self._report = report
        if report.ended:
            self._running = None
        text = shadow.words(report)
        _log.info(text)
        self._note(NoticeKind.NOTICE_KIND_SHADOW, text, shadow.fields(report), report)


def _label(wanted: Shadow) -> Shadow:
    """Which shadow it is, without its policy."""
    return Shadow(digest=wanted.digest, until=Timestamp(seconds=wanted.until.seconds))

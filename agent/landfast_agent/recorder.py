"""The thread that takes records out of the ring and puts batches into the spool.

One round: read the ring, add what the records name, store batches and ring position in one transaction, release the
ring. A crash anywhere loses nothing and doubles nothing: what was not stored is still in the ring, what was stored is
stepped over. While the disk is full the ring fills up, and the kernel counts what it cannot take. When a minute has
brought nothing, that is recorded: a host that is idle is not silent.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import structlog

from landfast.event import printable
from landfast.v1.batch_pb2 import Notice, NoticeKind
from landfast.v1.shadow_pb2 import ShadowReport
from landfast.verdict import Stage
from landfast_agent import drafts
from landfast_agent.drafts import Frame, Knowledge
from landfast_agent.errors import Unavailable
from landfast_agent.ring import Reading, Ring
from landfast_agent.spool import Spool
from landfast_agent.spool_file import Mark

#: Records of one round: 16 batches.
ROUND = 6400

_NOTICES = 4096  # that wait to be stored
_POLL_S = 0.02  # the kernel wakes us once in 10 ms; until it is sure to wake us again, we look by ourselves
_IDLE_S = 5.0
_PAUSE_S = 1.0  # after a failure
_LAST_ROUNDS_S = 1.0
_STEADY_NS = 1_000_000  # slewing of the clock that is left out of batches
_COUNTERS, _LOST = 8, 6  # LF_COUNTERS, LF_C_LOST

_log = structlog.get_logger()


@dataclass(frozen=True)
class RecorderState:
    """What `status` tells of the recording."""

    recorded: int  # events stored since the agent started
    waiting: int  # records in the ring
    strange: int  # records of another size than ours, left out
    notices_dropped: int
    problem: str  # why nothing can be stored now; empty when all is well


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Recorder:
    """Owns the ring. `note`, `state` and `stop` are for any thread, `on_stored` is called in the recorder's own."""

    def __init__(
        self,
        *,
        ring: Ring,
        spool: Spool,
        counters: Callable[[], Sequence[int]],
        policy: Callable[[], tuple[int, bytes]],
        known: Knowledge,
        on_stored: Callable[[int], None] = lambda _: None,
        on_records: Callable[[bytes], None] = lambda _: None,
        heartbeat_s: float = 60.0,
    ) -> None:
        """`counters` and `policy` (version and digest in force) read the kernel's.

        `on_stored` is told the last sequence number after each transaction. `on_records` sees the records themselves
        before they are stored: those of a crash, or of a round that could not be stored, come again.
        """
        self._ring, self._spool, self._counters, self._policy = ring, spool, counters, policy
        self._known = known
        self._on_stored, self._on_records = on_stored, on_records
        self._boot_id = boot_id()
        self._mark = Mark(f"{self._boot_id}/{ring.map_id}", ring.position)
        self._offset_ns = 0
        self._heartbeat_s, self._stored_at = heartbeat_s, time.monotonic()
        self._notices: deque[tuple[Notice, Future[int]]] = deque()
        self._lock = threading.Lock()  # of the notices
        self._stopping = threading.Event()
        self._recorded = self._strange = self._dropped = self._dropped_told = 0
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="landfast-recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stores what waits, says that the agent stopped, and returns when that is done or has failed."""
        self._stopping.set()
        self._ring.wake()
        self._thread.join()

    def note(
        self,
        kind: "NoticeKind.ValueType",
        text: str,
        fields: Mapping[str, str] | None = None,
        shadow: ShadowReport | None = None,
    ) -> Future[int]:
        """Makes something that the agent did or found an event.

        The future gives a sequence number: when everything up to it is acknowledged, so is this. Raises Unavailable
        from the future when too many notices wait.
        """
        waiting = _notice(kind, text, fields or {}, shadow), Future[int]()
        with self._lock:
            if len(self._notices) < _NOTICES:
                self._notices.append(waiting)
            else:
                self._dropped += 1
                waiting[1].set_exception(Unavailable(f"{_NOTICES} notices wait to be stored: {self._problem}"))
        self._ring.wake()
        return waiting[1]

    def state(self) -> RecorderState:
        return RecorderState(self._recorded, self._ring.waiting, self._strange, self._dropped, self._problem)

    # the thread

    def _run(self) -> None:
        if self._insist(self._begin):
            while self._insist(self._work):
                pass
            self._attempt(self._finish)
        self._refuse_the_rest()

    def _insist(self, action: Callable[[], None]) -> bool:
        """Repeats `action` until it works; False when the agent is to stop before that."""
        while not self._stopping.is_set():
            if self._attempt(action):
                return True
            self._stopping.wait(_PAUSE_S)
        return False

    def _attempt(self, action: Callable[[], None]) -> bool:
        """Whether it worked. The thread outlives every failure, and says when one begins and ends."""
        try:
            action()
        except Unavailable as error:
            self._set_problem(str(error))
        except Exception as error:
            _log.exception("recording failed")
            self._set_problem(f"recording failed: {error!r}; see the log")
        else:
            self._set_problem("")
        return not self._problem

    def _set_problem(self, problem: str) -> None:
        if problem and not self._problem:
            _log.error(
                "events are not recorded now; they wait in the ring, and are counted when it is full", why=problem
            )
        if self._problem and not problem:
            _log.info("events are recorded again")
        self._problem = problem

    def _begin(self) -> None:
        """Finds the place where the agent before us stopped, and tells about the time in between."""
        tip, ours = self._spool.tip, self._mark.ring
        if tip.mark.ring == ours:
            if self._ring.position < tip.mark.position <= self._ring.end:
                self._ring.release(tip.mark.position)
            self._mark = tip.mark
        first = [_notice(NoticeKind.NOTICE_KIND_AGENT_STARTED, "agent started", {})]
        if not tip.clean:
            first.append(self._gap(tip.written_ns, same_ring=tip.mark.ring == ours))
        with self._lock:
            self._notices.extendleft((notice, Future()) for notice in reversed(first))

    def _gap(self, since_ns: int, *, same_ring: bool) -> Notice:
        begin, end = _date(since_ns), _date(time.time_ns())
        what = f"{self._ring.waiting} records wait in the ring" if same_ring else "what was in the ring is gone with it"
        text = f"no orderly stop: nothing recorded from {begin} to {end}, enforcement went on; {what}"
        fields = {"from": begin, "to": end, "records": str(self._ring.waiting), "same_ring": str(same_ring).lower()}
        return _notice(NoticeKind.NOTICE_KIND_GAP, text, fields)

    def _work(self) -> None:
        """A round, and then the wait that suits what it found."""
        taken = self._round()
        if taken == 0:
            self._ring.wait(min(_IDLE_S, self._heartbeat_s))
        elif taken < ROUND:
            self._stopping.wait(_POLL_S)

    def _finish(self) -> None:
        deadline = time.monotonic() + _LAST_ROUNDS_S
        while self._round() and time.monotonic() < deadline:
            pass
        self.note(NoticeKind.NOTICE_KIND_AGENT_STOPPED, "agent stopped; enforcement goes on")
        self._round(clean=True)

    def _refuse_the_rest(self) -> None:
        for _, stored in self._waiting_notices():
            if stored.set_running_or_notify_cancel():
                stored.set_exception(Unavailable(f"the agent stopped before this was stored: {self._problem}"))

    def _round(self, *, clean: bool = False) -> int:
        """Stores what waits; how many records and notices that were."""
        reading, waiting = self._ring.read(ROUND), self._waiting_notices()
        counters = tuple(self._counters())
        notices = [notice for notice, _ in waiting] + self._losses(counters)
        notices += [] if reading.count or notices else self._heartbeat()
        if reading.count or notices:
            mark = Mark(self._mark.ring, reading.position, counters)
            self._show(reading.records)
            last = self._store(reading, notices, mark, clean)
            self._ring.release(reading.position)
            self._mark, self._dropped_told, self._stored_at = mark, self._dropped, time.monotonic()
            self._settle(waiting, last)
        self._ring.release(reading.position)
        self._strange += reading.strange
        return reading.count + len(notices)

    def _show(self, records: bytes) -> None:
        """Whoever acts on records must not be able to keep them from being stored."""
        try:
            self._on_records(records)
        except Exception:
            _log.exception("records were not acted on")

    def _store(self, reading: Reading, notices: list[Notice], mark: Mark, clean: bool) -> int:
        frame = Frame(self._boot_id, self._clock_offset_ns(), mark.counters, mark.position, self._policy())
        batches = drafts.make(reading.records, notices, frame, self._known)
        last = self._spool.append(batches, mark, clean=clean)
        self._recorded += reading.count + len(notices)
        return last

    def _settle(self, stored: list[tuple[Notice, "Future[int]"]], last: int) -> None:
        with self._lock:
            for _ in stored:
                self._notices.popleft()
        for _, future in stored:
            if future.set_running_or_notify_cancel():
                future.set_result(last)
        self._on_stored(last)

    def _waiting_notices(self) -> list[tuple[Notice, "Future[int]"]]:
        with self._lock:
            return list(self._notices)

    def _heartbeat(self) -> list[Notice]:
        """A notice that there is nothing to say, when nothing was said for long."""
        quiet_s = time.monotonic() - self._stored_at
        if quiet_s < self._heartbeat_s:
            return []
        return [_notice(NoticeKind.NOTICE_KIND_HEARTBEAT, f"nothing to record for {quiet_s:.0f} s", {})]

    def _losses(self, counters: Sequence[int]) -> list[Notice]:
        """A notice about what was lost since the last transaction, if anything was."""
        before = self._mark.counters or (0,) * len(counters)
        lost = {stage.name: _lost(counters, stage) - _lost(before, stage) for stage in Stage}
        lost["NOTICES"] = self._dropped - self._dropped_told
        lost = {where: number for where, number in lost.items() if number > 0}
        if not lost:
            return []
        words = ", ".join(f"{number} at {where}" for where, number in lost.items())
        text = f"events lost since there was no room for them: {words}"
        return [_notice(NoticeKind.NOTICE_KIND_LOST, text, {where: str(number) for where, number in lost.items()})]

    def _clock_offset_ns(self) -> int:
        """CLOCK_REALTIME minus CLOCK_BOOTTIME, the same for as long as the clock is steady."""
        offset_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        if abs(offset_ns - self._offset_ns) > _STEADY_NS:
            self._offset_ns = offset_ns
        return self._offset_ns


def _notice(
    kind: "NoticeKind.ValueType", text: str, fields: Mapping[str, str], shadow: ShadowReport | None = None
) -> Notice:
    """A notice of now, with texts that fit into a batch and on a terminal."""
    cut = {printable(key)[:64]: printable(value)[:256] for key, value in islice(fields.items(), 16)}
    return Notice(time_ns=time.time_ns(), kind=kind, text=printable(text)[:512], fields=cut, shadow=shadow)


def _lost(counters: Sequence[int], stage: Stage) -> int:
    return counters[stage * _COUNTERS + _LOST]


def _date(unix_ns: int) -> str:
    return datetime.fromtimestamp(unix_ns // 1_000_000_000, UTC).isoformat().replace("+00:00", "Z")

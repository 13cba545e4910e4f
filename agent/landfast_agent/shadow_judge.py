"""The program that judges what this host records by a candidate policy. The daemon starts it: see `shadow`.

It reads the batches of the spool like `landfast-agent events` does, and so can neither slow the recording down nor
fill the daemon's memory: what the spool forgets before it was judged is missing in the sequence numbers, and counted.
It takes a quarter of one CPU at most, has less claim to it than anybody, and is the first to end when memory is short.

Arguments: path of the spool, sequence number after which to begin, bytes of the candidate. Standard input: the
candidate, then nothing until its end, which is the end of the judging. Standard output: a ShadowReport in hexadecimal a
line: one when the judging begins, then whenever something more would change, and a last one.
"""

import os
import resource
import select
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from landfast import batch, shadow
from landfast.batch import BatchView
from landfast.flows import Omitted, sightings
from landfast.impact import Impact
from landfast.policy.errors import PolicyError
from landfast.replay import Change, Replay
from landfast.v1.shadow_pb2 import ShadowReport
from landfast_agent import spool_file
from landfast_agent.errors import Unavailable

_MEMORY = 1 << 30  # bytes of data; 200,000 prefixes take an eighth of it
_FLOWS = 2000  # that are kept apart, about 1 KB each
_POLL_S = 0.5
_RESTRAINT = 3  # pauses are this many times as long as the work before them
_OFTEN_S, _SELDOM_S = 10.0, 600.0  # between reports, when more would change and when not
_LAST_S = 1.0  # for what is left at the end
_STEP_S = 10  # in which the time of asking advances: answers are remembered for one time
_DISK = (Unavailable, sqlite3.Error)  # the daemon says what is wrong with it; what is gone meanwhile will be missing


@dataclass
class Judging:
    """What the candidate would have changed in the batches after the sequence number `after`."""

    spool: Path
    after: int
    candidate: Replay
    impact: Impact = field(default_factory=lambda: Impact(_FLOWS))
    omitted: Omitted = field(default_factory=Omitted)
    missed: int = 0

    def step(self) -> Iterator[None]:
        """Judges what is new, batch by batch."""
        for data in spool_file.history(self.spool, self.after):
            self._take(batch.decode(data))
            yield

    def give_up(self) -> None:
        """What is left is missed."""
        self.missed += spool_file.last_sequence(self.spool) - self.after

    def _take(self, view: BatchView) -> None:
        self.missed += max(view.first - self.after - 1, 0)
        self.after = view.last
        self.candidate.at(time.time() // _STEP_S * _STEP_S)
        self.impact.of(sightings(view, self.omitted), self.candidate)

    @property
    def changing(self) -> int:
        """Decisions that something would change for."""
        return self.impact.decisions.total() - self.impact.decisions[Change.NONE]


class _Reporter:
    """Says what was found, at most every `_OFTEN_S`."""

    def __init__(self, judging: Judging, digest: bytes) -> None:
        self._judging, self._digest, self._since_ns = judging, digest, time.time_ns()
        self._told, self._told_at, self._due = 0, time.monotonic(), 0.0

    def tell(self, *, ended: bool = False) -> None:
        judging = self._judging
        found = shadow.report(judging.impact, judging.omitted, judging.missed)
        found.digest, found.since_ns, found.until_ns, found.ended = self._digest, self._since_ns, time.time_ns(), ended
        _print(found)
        self._told, self._told_at = judging.changing, time.monotonic()

    def tell_news(self) -> None:
        now = time.monotonic()
        if now >= self._due and (self._judging.changing != self._told or now >= self._told_at + _SELDOM_S):
            self.tell()
            self._due = now + _OFTEN_S


def main() -> None:
    _step_back()
    path, after, size = sys.argv[1:]
    content = sys.stdin.buffer.read(int(size))
    digest = batch.digest(content)
    try:
        candidate = Replay(*shadow.prepare(content), time.time())
    except PolicyError as error:
        _print(ShadowReport(digest=digest, problem=str(error)[:1000], ended=True))
        return
    judging = Judging(Path(path), int(after), candidate)
    reporter = _Reporter(judging, digest)
    reporter.tell()
    _judge(judging, reporter)
    reporter.tell(ended=True)


def _judge(judging: Judging, reporter: _Reporter) -> None:
    """Until the end of standard input, and then what is left, if that is little."""
    while not (_catches_up(judging, reporter) or _has_ended(_POLL_S)):
        reporter.tell_news()
    deadline = time.monotonic() + _LAST_S
    with suppress(*_DISK):
        for _ in judging.step():
            if time.monotonic() > deadline:
                judging.give_up()
                break


def _catches_up(judging: Judging, reporter: _Reporter) -> bool:
    """Judges what is new, with a pause after each batch; whether the input has ended meanwhile."""
    begin = time.thread_time()
    with suppress(*_DISK):
        for _ in judging.step():
            reporter.tell_news()
            if _has_ended(_RESTRAINT * (time.thread_time() - begin)):
                return True
            begin = time.thread_time()
    return False


def _has_ended(patience_s: float) -> bool:
    """Whether standard input ends within a time."""
    return bool(select.select([sys.stdin], [], [], patience_s)[0])


def _print(found: ShadowReport) -> None:
    print(found.SerializeToString().hex(), flush=True)


def _step_back() -> None:
    """Whatever else runs on this host comes first."""
    os.nice(19)
    Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))

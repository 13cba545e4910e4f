"""The canary: a tagged process that tries what its class forbids, and so proves that refusals really happen.

For each class that enforces, a process that carries this class alone tries a destination that the policy in force does
not allow: it connects, it sends, and it sends on a socket that was connected before, where only the verdict on packets
can refuse it. Everything must be refused, nothing must come out of the device that its network namespace ends in, and
each refusal must be among the kernel's records, made by the policy in force for just this class.

Its executions are marked in the batches, so that views and statistics leave its events out; the events are evidence
like any other. See `canary_probe` for why it cannot reach anybody.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from landfast import event
from landfast.event import Event
from landfast.policy.model import DataClass, Mode
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Protocol, Stage, Verdict
from landfast_agent import addresses, tasks
from landfast_agent.canary_driver import Driver, Told
from landfast_agent.enforcer import Active, Enforcer
from landfast_agent.errors import AgentError, Unavailable
from landfast_agent.forbidden import Destination, destinations
from landfast_agent.refusals import Notify

_EVENTS_S = 10.0  # that a record may take to be read
_WAYS = {Protocol.TCP: ("connect",), Protocol.UDP: ("sendto", "send")}
_STAGES = {"connect": Stage.CONNECT, "sendto": Stage.SENDMSG, "send": Stage.EGRESS}


@dataclass(frozen=True)
class Attempt:
    """One thing to try."""

    way: str
    to: Destination

    @property
    def words(self) -> tuple[str, str, int]:
        """As the probe wants it."""
        return self.way, self.to.address, self.to.port

    def is_refused_by(self, record: Event, mask: int, version: int) -> bool:
        """Whether this is the record of its refusal, by the policy `version` and for just these classes."""
        where = record.stage, str(record.remote), record.remote_port
        why = record.verdict, record.missing, record.version
        wanted = _STAGES[self.way], self.to.address, self.to.port
        return where == wanted and why == (Verdict.DENY, mask, version)

    def __str__(self) -> str:
        return f"{self.way} {self.to.address} {self.to.protocol.name.lower()}/{self.to.port}"


@dataclass
class CanaryState:
    """What `status` tells. Times are of time.monotonic(); `spared` are classes that forbid no destination."""

    passed_at: float = 0.0
    refusals: int = 0
    spared: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Canary:
    """Sends canaries in, one for each class. `notify` records what came of it as an event."""

    def __init__(self, enforcer: Enforcer, notify: Notify) -> None:
        self._enforcer, self._notify = enforcer, notify
        self._arrived = threading.Condition()
        self._watched, self._records = 0, list[Event]()
        self._driver: Driver | None = None
        self._ended = False
        self.state = CanaryState()

    def saw(self, records: bytes) -> None:
        """Every record that the kernel makes. For the recorder's thread."""
        with self._arrived:
            if self._watched:
                table = np.frombuffer(records, event.numpy_type())
                self._records += event.read_all(table[table["tgid"] == self._watched].tobytes())
                self._arrived.notify()

    def end(self) -> None:
        """No more rounds; one that goes on concludes nothing and returns at once. For any thread."""
        with self._arrived:
            self._ended = True
            self._arrived.notify()
            if self._driver:
                self._driver.kill()

    def round(self) -> bool:
        """Tries every class that enforces, one after the other.

        False when it proved nothing: there is no policy, or a new one came in between, or it was to end. One thread at
        a time.
        """
        active = self._enforcer.active
        if active is None:
            return False
        state = CanaryState(self.state.passed_at)
        try:
            with Driver() as driver:
                self._use(driver)
                for owner in active.policy.classes:
                    if owner.mode == Mode.ENFORCE:
                        self._try_class(driver, active, owner, state)
        except (AgentError, OSError, ValueError) as error:
            state.problems.append(str(error))
        changed = not self._enforcer.active or self._enforcer.active.policy.version != active.policy.version
        if changed or self._ended:
            return False
        self._conclude(state)
        return True

    def _use(self, driver: Driver) -> None:
        with self._arrived:
            self._driver = driver
            if self._ended:
                driver.kill()

    def _try_class(self, driver: Driver, active: Active, owner: DataClass, state: CanaryState) -> None:
        tried = destinations(active.policy, owner, addresses.current(), self._enforcer.clock.now_ns() / 1e9)
        attempts = [Attempt(way, to) for to in tried for way in _WAYS[to.protocol]]
        if not attempts:
            state.spared.append(owner.name)
            return
        pid = driver.prepare([attempt.words for attempt in attempts])
        with self._watching(pid):
            self._tag(pid, owner.mask)
            told = driver.go()
            problems = [*_through(attempts, told)]
            if not problems:
                silent = self._unrecorded(attempts, owner.mask, active.policy.version)
                problems = [f"the refusal of {attempt} was not recorded" for attempt in silent]
        state.refusals += len(attempts)
        state.problems += [f"class {owner.name}: {problem}" for problem in problems]

    @contextmanager
    def _watching(self, pid: int) -> Iterator[None]:
        with self._arrived:
            self._watched, self._records = pid, []
        yield
        with self._arrived:
            self._watched = 0
            self._enforcer.maps.count_canary(Counter(each.stage for each in self._records))

    def _tag(self, pid: int, mask: int) -> None:
        task = self._enforcer.tagger.tag_canary(pid, mask)
        if task is None:
            raise Unavailable("the canary ended while it was tagged: see the kernel log")
        tasks.mark_canary(self._enforcer.maps, task)

    def _unrecorded(self, attempts: list[Attempt], mask: int, version: int) -> list[Attempt]:
        """Those whose refusal the kernel has not told within `_EVENTS_S`."""
        deadline = time.monotonic() + _EVENTS_S
        with self._arrived:
            while True:
                told = self._records
                left = [each for each in attempts if not any(each.is_refused_by(one, mask, version) for one in told)]
                if not left or self._ended or not self._arrived.wait(max(deadline - time.monotonic(), 0)):
                    return left

    def _conclude(self, state: CanaryState) -> None:
        """An event for every failure that is new, and for the first success."""
        before, self.state = self.state, state
        if state.problems:
            text = "; ".join(state.problems)
            if state.problems != before.problems:
                self._notify(NoticeKind.NOTICE_KIND_CANARY_FAILED, f"canary: {text}", {"what": text})
            return
        if before.problems or not before.passed_at:
            text = f"canary: refused and recorded in all of {state.refusals} attempts"
            fields = {"attempts": str(state.refusals), "spared": ",".join(state.spared)}
            self._notify(NoticeKind.NOTICE_KIND_CANARY_PASSED, text, fields)
        state.passed_at = time.monotonic()


def _through(attempts: list[Attempt], told: Told) -> Iterator[str]:
    """What was not refused."""
    for attempt, answer in zip(attempts, told.answers, strict=True):
        if attempt.way != "send" and answer != "EPERM":
            yield f"{attempt} was not refused: {answer}"
    before = Counter(attempt.to.address for attempt in attempts if attempt.way == "send")
    for address, count in told.escaped.items():
        if count > before[address]:
            yield f"{count - before[address]} packets to {address} got out"
        elif count < before[address]:
            yield f"not even what was sent to {address} before the tags came arrived: nothing is proved"

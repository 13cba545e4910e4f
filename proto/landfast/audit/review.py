"""The entries of a log one after the other: are the hosts' chains whole, and does every host report?"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from landfast import batch
from landfast.audit.findings import Finding, Verdict
from landfast.audit.host import Host
from landfast.audit.pruning import Pruning
from landfast.audit.versions import Versions
from landfast.batch import BatchError, BatchView, Sealed
from landfast.beginning import BeginningError, Statement
from landfast.event import printable
from landfast.tlog.bundle import Entry, Kind
from landfast.tlog.errors import TlogError
from landfast.v1.audit_pb2 import ControlAction


@dataclass(frozen=True)
class Expected:
    """Which hosts are to report (None: all that are enrolled), and after how many seconds one is called silent.

    With each host the event keys that the auditor has of it, if any.
    """

    hosts: Mapping[str, frozenset[bytes]] | None
    silent_after_s: int


@dataclass(frozen=True)
class Taken:
    """An entry whose integrity nothing is found against."""

    index: int
    received_ns: int
    content: BatchView | ControlAction


class Review:
    """`integrity` is the verdict that findings against chains are added to; `completeness` is this one's own.

    `begin` is the index of the oldest entry: what hosts did before it is pruned, and nobody's gap.
    """

    def __init__(self, integrity: Verdict, expected: Expected, begin: int = 0) -> None:
        self.integrity, self.completeness = integrity, Verdict()
        self.hosts: dict[str, Host] = {}
        self._expected = expected
        self._pruning, self._versions = Pruning(begin), Versions(begin)
        self._now_ns = 0

    @property
    def begin(self) -> int:
        """Index of the oldest entry."""
        return self._pruning.begin

    @property
    def events(self) -> int:
        return sum(host.events for host in self.hosts.values())

    @property
    def trusting(self) -> list[Host]:
        """Hosts whose event keys are the log's word: whoever keeps it may have made them, and what they sign."""
        return [host for host in self.hosts.values() if not host.own_keys]

    @property
    def unstated(self) -> list[Host]:
        """Hosts that have not said where they begin: of what is left out before their first batch nothing tells."""
        return [host for host in self.hosts.values() if host.unstated is not None]

    @property
    def before(self) -> list[Host]:
        """Hosts that were enrolled before the first time here: what they recorded since then was another controller's.

        In a log whose beginning is pruned, that may be here.
        """
        return [host for host in self.hosts.values() if host.promised is not None and not self.begin]

    @property
    def newest_ns(self) -> int:
        """When the newest entry was stored, in nanoseconds since 1970."""
        return self._now_ns

    def take(self, index: int, data: bytes) -> Taken | None:
        """The entry at `index`, as the tree proves it. Returns it, unless that is a finding against integrity."""
        before = self.integrity.count
        try:
            entry = Entry.decode(data)
            if entry.received_ns < self._now_ns:
                text = "stored before the entry that precedes it: the controller's times never run backwards"
                self.integrity.add(Finding("time", text, index=index))
            self._now_ns = max(self._now_ns, entry.received_ns)
            self._pruning.take(index, entry)
            content = self._content(index, entry)
        except (TlogError, BatchError, DecodeError) as error:
            self.integrity.add(Finding("malformed", f"an entry that no controller admits: {error}", index=index))
            return None
        return Taken(index, entry.received_ns, content) if self.integrity.count == before else None

    def _content(self, index: int, entry: Entry) -> BatchView | ControlAction:
        if entry.kind == Kind.BATCH:
            view = batch.decode(entry.content)
            self._batch(index, view, entry)
            return view
        action = ControlAction.FromString(entry.content)
        self._control(index, action, entry)
        return action

    def end(self) -> None:
        """After the last entry: who should have reported and has not, and what nobody said would be pruned."""
        for finding in self._pruning.end():
            self.integrity.add(finding)
        expected = self._expected.hosts
        for name in sorted(expected if expected is not None else self.hosts):
            self._check_reports(name, self._host(name))

    def _host(self, name: str) -> Host:
        known = (self._expected.hosts or {}).get(name, frozenset())
        return self.hosts.get(name) or Host(name, known)

    def _batch(self, index: int, view: BatchView, entry: Entry) -> None:
        host = self.hosts[view.host] = self._host(view.host)
        if not host.batches and host.enrolled is None:
            host.enrolled = self._enrolled_before
        sealed = Sealed(entry.content)
        _add(self.integrity, index, host.forged(view, sealed))
        _add(self.integrity, index, host.altered(view))
        _add(self.completeness, index, host.missing(view, self._versions))
        host.advance(view, sealed.digest, entry.received_ns)

    @property
    def _enrolled_before(self) -> int | None:
        """For hosts whose enrolment may be pruned: their account begins with the first batch that is there."""
        return self.begin - 1 if self.begin else None

    def _control(self, index: int, action: ControlAction, entry: Entry) -> None:
        host = self.hosts.get(action.subject)
        match action.kind:
            case ControlAction.KIND_HOST_ENROLLED:
                self._enrol(index, action)
            case ControlAction.KIND_HOST_BANNED | ControlAction.KIND_HOST_UNBANNED if host:
                host.banned = action.kind == ControlAction.KIND_HOST_BANNED
            case ControlAction.KIND_POLICY_VERSION:
                self._versions.accept(index, action)
            case ControlAction.KIND_RETENTION_POLICY:
                self._pruning.publish(index, entry.received_ns, action)
            case ControlAction.KIND_LOG_PRUNED:
                _add(self.integrity, index, self._pruning.announce(index, entry.received_ns, action))

    def _enrol(self, index: int, action: ControlAction) -> None:
        host = self.hosts[action.subject] = self._host(action.subject)
        statement = self._statement(index, action)
        _add(self.completeness, index, host.forsaken(statement))
        _add(self.integrity, index, host.enrol(index, action.fields.get("event_key", ""), statement))
        if self.begin and not host.batches and action.fields.get("again") == "True":
            host.stated = host.mute = None  # it goes on with batches that are pruned, or begins here: nobody can tell

    def _statement(self, index: int, action: ControlAction) -> Statement | None:
        """What the host says of where it begins. What is none is a finding."""
        try:
            return Statement.read(action.fields)
        except BeginningError as error:
            text = f"an enrolment that no controller admits: {error}"
            _add(self.integrity, index, [Finding("malformed", text, host=action.subject)])
            return None

    def _check_reports(self, name: str, host: Host) -> None:
        quiet_s = (self._now_ns - host.received_ns) // 10**9
        if not host.batches:
            before = f"no sign of it since the oldest entry, {self.begin}" if self.begin else "never enrolled"
            text = "enrolled, and never reported" if host.enrolled is not None else f"{before}, never reported"
            self.completeness.add(Finding("never-reported", text, index=host.enrolled, host=printable(name)))
        elif quiet_s > self._expected.silent_after_s:
            why = ", and banned" if host.banned else ""
            text = f"silent for {quiet_s} s before the newest entry{why}"
            self.completeness.add(Finding("silent", text, host=printable(name), sequence=host.last))


def _add(verdict: Verdict, index: int, findings: Iterable[Finding]) -> None:
    for finding in findings:
        verdict.add(replace(finding, index=index, host=printable(finding.host), text=printable(finding.text)))

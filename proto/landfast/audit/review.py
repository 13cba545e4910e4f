"""The entries of a log one after the other: are the hosts' chains whole, and does every host report?"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from landfast import batch
from landfast.audit.findings import Finding, Verdict
from landfast.audit.host import Host
from landfast.batch import BatchError, BatchView
from landfast.event import printable
from landfast.tlog.bundle import Entry, Kind
from landfast.tlog.errors import TlogError
from landfast.v1.audit_pb2 import ControlAction


@dataclass(frozen=True)
class Expected:
    """Which hosts are to report (None: all that are enrolled), and after how many seconds one is called silent."""

    hosts: frozenset[str] | None
    silent_after_s: int


@dataclass(frozen=True)
class Taken:
    """An entry whose integrity nothing is found against."""

    index: int
    received_ns: int
    content: BatchView | ControlAction


class Review:
    """`integrity` is the verdict that findings against chains are added to; `completeness` is this one's own."""

    def __init__(self, integrity: Verdict, expected: Expected) -> None:
        self.integrity, self.completeness = integrity, Verdict()
        self.hosts: dict[str, Host] = {}
        self._expected = expected
        self._now_ns = 0

    @property
    def events(self) -> int:
        return sum(host.events for host in self.hosts.values())

    def take(self, index: int, data: bytes) -> Taken | None:
        """The entry at `index`, as the tree proves it. Returns it, unless that is a finding against integrity."""
        before = self.integrity.count
        try:
            entry = Entry.decode(data)
            if entry.received_ns < self._now_ns:
                text = "stored before the entry that precedes it: the controller's times never run backwards"
                self.integrity.add(Finding("time", text, index=index))
            self._now_ns = max(self._now_ns, entry.received_ns)
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
        self._control(index, action)
        return action

    def end(self) -> None:
        """After the last entry: who should have reported and has not."""
        expected = self._expected.hosts
        for name in sorted(expected if expected is not None else self.hosts):
            self._check_reports(name, self.hosts.get(name, Host(name)))

    def _batch(self, index: int, view: BatchView, entry: Entry) -> None:
        host = self.hosts.setdefault(view.host, Host(view.host))
        _add(self.integrity, index, host.altered(view))
        _add(self.completeness, index, host.missing(view))
        host.advance(view, batch.digest(entry.content), entry.received_ns)

    def _control(self, index: int, action: ControlAction) -> None:
        host = self.hosts.get(action.subject)
        match action.kind:
            case ControlAction.KIND_HOST_ENROLLED:
                self.hosts.setdefault(action.subject, Host(action.subject)).enrolled = index
            case ControlAction.KIND_HOST_BANNED | ControlAction.KIND_HOST_UNBANNED if host:
                host.banned = action.kind == ControlAction.KIND_HOST_BANNED

    def _check_reports(self, name: str, host: Host) -> None:
        quiet_s = (self._now_ns - host.received_ns) // 10**9
        if not host.batches:
            text = "enrolled, and never reported" if host.enrolled is not None else "never enrolled, never reported"
            self.completeness.add(Finding("never-reported", text, index=host.enrolled, host=printable(name)))
        elif quiet_s > self._expected.silent_after_s:
            why = ", and banned" if host.banned else ""
            text = f"silent for {quiet_s} s before the newest entry{why}"
            self.completeness.add(Finding("silent", text, host=printable(name), sequence=host.last))


def _add(verdict: Verdict, index: int, findings: Iterable[Finding]) -> None:
    for finding in findings:
        verdict.add(replace(finding, index=index, host=printable(finding.host), text=printable(finding.text)))

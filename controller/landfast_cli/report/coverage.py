"""Which host was heard of when, and what of its events is missing."""

from dataclasses import dataclass, field

from landfast.audit.account import losses
from landfast_cli.report.bounds import Kept
from landfast_cli.report.part import Part
from landfast_cli.report.period import NS, Period

#: Silent intervals of one host that are told one by one.
_INTERVALS = 50


@dataclass
class Host:
    """What a period has of one host. Times are 0 where there is none; `silences` are (begin, end)."""

    name: str
    enrolled_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    events: int = 0
    batches: int = 0
    canaries: int = 0
    folded: int = 0
    lost: int = 0
    policy: str = ""  # the newest version that it has proved
    state: str = ""  # banned, evicted
    silences: Kept[tuple[int, int]] = field(default_factory=lambda: Kept(_INTERVALS))
    silent_ns: int = 0
    heard_ns: int = 0  # the last sign of life, in the period or before; 0: none yet


class Coverage:
    """`hosts` by name. A host is silent where its log has no event for longer than `silent_after_s`."""

    def __init__(self, period: Period, silent_after_s: int) -> None:
        self.hosts: dict[str, Host] = {}
        self.silent_after_s = silent_after_s
        self._period, self._limit_ns = period, silent_after_s * NS

    def host(self, name: str) -> Host:
        return self.hosts.setdefault(name, Host(name))

    def enrol(self, name: str, at_ns: int) -> None:
        host = self.host(name)
        host.enrolled_ns = host.enrolled_ns or at_ns
        host.heard_ns = host.heard_ns or at_ns
        host.state = ""

    def take(self, part: Part) -> None:
        host = self.host(part.view.host)
        self._hear(host, part.begin_ns, part.end_ns)
        if part.begin_ns in self._period:
            folded = part.view.message.folded
            host.folded += folded.allowed + folded.other
        if part.is_empty:
            return
        moments = [at_ns for _, at_ns in part.notices]
        if len(part.times):
            moments += [int(part.times.min()), int(part.times.max())]
        host.first_ns = min(host.first_ns or moments[0], *moments)
        host.last_ns = max(host.last_ns, *moments)
        host.batches += 1
        host.events += len(part.records) + len(part.notices)
        host.lost += sum(number for _, number in losses(notice for notice, _ in part.notices))

    def end(self, newest_ns: int) -> None:
        """After the log's newest entry, which was stored at `newest_ns`."""
        for host in self.hosts.values():
            if host.heard_ns:
                self._silence(host, host.heard_ns, newest_ns)

    def _hear(self, host: Host, begin_ns: int, end_ns: int) -> None:
        if host.heard_ns:
            self._silence(host, host.heard_ns, begin_ns)
        host.heard_ns = max(host.heard_ns, end_ns)

    def _silence(self, host: Host, begin_ns: int, end_ns: int) -> None:
        """Keeps what of a silence lies in the period, when it was long enough as a whole."""
        begin, end = max(begin_ns, self._period.begin_ns), min(end_ns, self._period.end_ns)
        if end_ns - begin_ns > self._limit_ns and begin < end:
            host.silences.add((begin, end))
            host.silent_ns += end - begin

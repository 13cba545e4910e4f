"""Flows: who talked to whom, from the decisions that the log holds.

A `Sighting` is one recorded decision that an allowlist had a part in; its `Flow` is what many of them have in common.
Everything is taken from the record: which side called, whether the other one is this host, who the process was.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, NamedTuple, TypeVar

from landfast.batch import BatchView
from landfast.event import Event, printable
from landfast.policy.numbering import RuleKind
from landfast.policy.times import LAST, format_time
from landfast.v1.batch_pb2 import Process
from landfast.verdict import Protocol, Reason, Stage, Verdict

#: Flows that a `Fold` holds, about 1 KB each.
MOST = 100_000

_VERDICTS = frozenset(Verdict)
_STAGES = frozenset((Stage.CONNECT, Stage.SENDMSG, Stage.EGRESS, Stage.DEVICE, Stage.UNIX))
_REASONS = frozenset(
    (
        Reason.RULE,
        Reason.SERVE,
        Reason.PEER,
        Reason.SAME_CLASS,
        Reason.LOOPBACK,
        Reason.NO_RULE,
        Reason.EXPIRED,
        Reason.UNKNOWN_CLASS,
        Reason.NO_POLICY,
        Reason.UNTAGGED_PEER,
    )
)


class Flow(NamedTuple):
    """What identifies a flow. Names that come from a host have their control characters escaped."""

    classes: tuple[str, ...]  # of the sender, by bit; `#BIT` where the host knew no name
    kind: RuleKind  # the list that a rule for it stands in: who was called (elsewhere, here), or who was answered
    remote: IPv4Address | IPv6Address | None  # None: a unix socket
    protocol: int
    port: int  # of who was called: the remote one, in SERVE the local one
    unix_name: str  # as policy writes it; empty: no unix socket, or one whose name nobody knows
    host: str
    comm: str
    executable: str
    unit: str


class Peer(Enum):
    """Whether the local socket that would have received carried every class of the sender: which of both it may be."""

    CARRIES = (True,)
    LACKS = (False,)  # also where nobody listened, and for what is not local
    UNKNOWN = (False, True)


class Sighting(NamedTuple):
    """One recorded decision about a flow."""

    flow: Flow
    verdict: Verdict
    reason: Reason
    remote_port: int
    local: bool
    peer: Peer
    time_ns: int  # CLOCK_REALTIME


class Omission(StrEnum):
    """Why an event of the log is not among the sightings."""

    CANARY = "canary"  # what the hosts' own canaries were refused
    NOT_JUDGED = "not_judged"  # no allowlist judges it: calls, socket families, executions, other namespaces
    AGENT = "agent"  # the agent's own socket, which every class may talk to
    FOLDED = "folded"  # a count without details, since the host's spool was full


Omitted = Counter[Omission]


def sightings(view: BatchView, omitted: Omitted) -> Iterator[Sighting]:
    """The sightings of a batch, in order. What is left out, notices and flows aside, is counted in `omitted`."""
    read = _Reader(view)
    for _, item in view:
        if isinstance(item, Event) and item.stage != Stage.FLOW:  # what was decided of it has a record of its own
            reason = why_omitted(view, item)
            if reason is None:
                yield read.sighting(item)
            else:
                omitted[reason] += 1
    folded = view.message.folded
    if folded.allowed or folded.other:
        omitted[Omission.FOLDED] += folded.allowed + folded.other


def why_omitted(view: BatchView, item: Event) -> Omission | None:
    """Why an event is no sighting; None for one that is."""
    if view.is_canary(item):
        return Omission.CANARY
    if not _is_judged(item):
        return Omission.NOT_JUDGED
    return Omission.AGENT if _is_agent(item) else None


def _is_judged(item: Event) -> bool:
    known = item.stage in _STAGES and item.reason in _REASONS and item.verdict in _VERDICTS
    return known and (item.stage == Stage.UNIX or item.remote is not None)


def _is_agent(item: Event) -> bool:
    """Allowed as a peer, yet by none of one class's rules: two of them cannot name the same socket."""
    allowed = item.stage == Stage.UNIX and item.verdict == Verdict.ALLOW and item.reason == Reason.PEER
    return allowed and not item.rule and item.tags.bit_count() == 1


class _Reader:
    """Makes sightings of a batch's events; what many of them name is made once."""

    def __init__(self, view: BatchView) -> None:
        self._view = view
        self._host = printable(view.host)
        self._classes = lru_cache(self._names)

    def sighting(self, item: Event) -> Sighting:
        kind = kind_of(item)
        process = self._view.process(item) or Process()
        flow = Flow(
            self._classes(item.tags),
            kind,
            item.remote,
            item.protocol,
            item.local_port if kind == RuleKind.SERVE else item.remote_port,
            self._view.unix_name(item),
            self._host,
            printable(process.comm) or item.comm,
            printable(process.executable),
            printable(process.unit),
        )
        verdict, reason, local = Verdict(item.verdict), Reason(item.reason), kind == RuleKind.PEERS or item.local
        time_ns = self._view.unix_ns(item)
        return Sighting(flow, verdict, reason, item.remote_port, local, self._peer(item), time_ns)

    def _names(self, tags: int) -> tuple[str, ...]:
        return tuple(map(printable, self._view.classes(tags)))

    def _peer(self, item: Event) -> Peer:
        """A refusal tells that the peer lacks a class, unless it was found to carry all: `loopback: deny` then."""
        if not (item.local or item.stage == Stage.UNIX) or item.protocol == Protocol.ICMP:
            return Peer.LACKS
        if item.verdict == Verdict.ALLOW:
            return Peer.CARRIES if item.reason == Reason.SAME_CLASS else Peer.UNKNOWN
        if item.reason in (Reason.UNKNOWN_CLASS, Reason.NO_POLICY):
            return Peer.UNKNOWN
        listener = self._view.listener(item)
        return Peer.CARRIES if listener and listener.present and not item.tags & ~listener.tags else Peer.LACKS


def kind_of(item: Event) -> RuleKind:
    """The list that a rule for it stands in."""
    if item.serving:
        return RuleKind.SERVE
    return RuleKind.PEERS if item.local or item.stage == Stage.UNIX else RuleKind.ALLOW


def utc(unix_ns: int) -> str:
    """A time of a sighting, RFC 3339 in UTC to the second; what the calendar cannot hold as its last one."""
    return format_time(max(0, min(unix_ns // 1_000_000_000, LAST)))


@dataclass(slots=True)
class Summary:
    """What the sightings of a flow come to. Times are CLOCK_REALTIME in nanoseconds."""

    first_ns: int
    last_ns: int
    verdicts: Counter[Verdict] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.verdicts.total()


K = TypeVar("K")


class Fold(Generic[K]):
    """Summaries by key, `most` of them; sightings with a further key are only counted, in `beyond`."""

    def __init__(self, most: int = MOST) -> None:
        self.summaries: dict[K, Summary] = {}
        self.beyond = 0
        self._most = most

    def add(self, key: K, seen: Sighting) -> None:
        found = self.summaries.get(key)
        if found is None:
            if len(self.summaries) >= self._most:
                self.beyond += 1
                return
            found = self.summaries[key] = Summary(seen.time_ns, seen.time_ns)
        found.first_ns, found.last_ns = min(found.first_ns, seen.time_ns), max(found.last_ns, seen.time_ns)
        found.verdicts[seen.verdict] += 1

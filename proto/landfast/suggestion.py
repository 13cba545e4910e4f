"""A minimal allowlist of a class, from the flows that it was seen to have: a proposal for people to review.

It covers what was seen and nothing else: prefixes are merged only where every address of the wider one was seen with
the same ports, port ranges only where every port was.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from msgspec.structs import replace

from landfast.flows import MOST, Flow, Fold, Sighting, Summary, utc
from landfast.policy.addresses import BITS, Prefix, address_number
from landfast.policy.errors import InvalidError
from landfast.policy.model import (
    ClassDraft,
    Draft,
    ForbiddenCalls,
    Loopback,
    Mode,
    Rule,
    StalePolicy,
    UnixPeer,
)
from landfast.policy.numbering import RuleKind
from landfast.policy.order import arrange_draft
from landfast.policy.ports import ICMP, Ports
from landfast.policy.texts import MAX_TEXT, parse_socket_path
from landfast.verdict import Protocol, Reason, Verdict

_PEER_WARNING = (
    "WARNING: whoever listens there is not tagged, or was not when this was seen: a way out of the class.",
    "Tag it instead if it may hold the data.",
)
_NAMED = 3  # processes and hosts that are told by name

Remarks = dict[tuple[RuleKind, Rule | UnixPeer], tuple[str, ...]]
_Address = IPv4Address | IPv6Address
_Seen = tuple[Flow, Summary]


def unknown_class(name: str) -> ClassDraft:
    """What to begin with for a class that no policy holds yet: nothing is refused while people review it."""
    return ClassDraft(
        name=name,
        mode=Mode.AUDIT,
        loopback=Loopback.SAME_CLASS,
        forbidden_calls=ForbiddenCalls.KILL,
        on_stale_policy=StalePolicy.HOLD,
        select=(),
        allow=(),
        serve=(),
        peers=(),
        unix_peers=(),
    )


class Learned:
    """The flows of a class that need a rule; `settings` is the class without its lists."""

    def __init__(self, settings: ClassDraft, most: int = MOST) -> None:
        self.settings = settings
        self.flows: Fold[Flow] = Fold(most)
        self.nameless = 0  # sightings of flows that no rule but `any` can name

    def add(self, seen: Sighting) -> None:
        """Takes in a sighting, unless it is of other classes, or passes by `loopback` alone."""
        if self.settings.name not in seen.flow.classes or self._is_free(seen):
            return
        flow = self._called(seen)
        if _has_name(flow):
            self.flows.add(flow, seen)
        else:
            self.nameless += 1

    def _is_free(self, seen: Sighting) -> bool:
        if self.settings.loopback == Loopback.ALLOW:
            return seen.local
        return self.settings.loopback == Loopback.SAME_CLASS and seen.reason == Reason.SAME_CLASS

    def _called(self, seen: Sighting) -> Flow:
        """A UDP socket that has heard from whom it called answers, by the record; yet it is still the caller."""
        flow = seen.flow
        if flow.kind != RuleKind.SERVE or flow.protocol != Protocol.UDP:
            return flow
        calling = flow._replace(kind=RuleKind.PEERS if seen.local else RuleKind.ALLOW, port=seen.remote_port)
        return calling if calling in self.flows.summaries else flow


class Suggestion(NamedTuple):
    """`draft` is a policy of the one class; `remarks` tell for each rule what it was seen for."""

    draft: Draft
    remarks: Remarks

    def remark(self, kind: RuleKind, rule: Rule | UnixPeer) -> Iterable[str]:
        """For `policy.writer.write`."""
        return self.remarks.get((kind, rule), ())


def suggest(learned: Learned) -> Suggestion:
    """The fewest rules that allow all flows that were learned, and only these."""
    rules = {kind: list(_network_rules(learned.flows.summaries.items(), kind)) for kind in RuleKind}
    unix = list(_unix_rules(learned.flows.summaries.items()))
    made = replace(
        learned.settings,
        allow=tuple(rule for rule, _ in rules[RuleKind.ALLOW]),
        serve=tuple(rule for rule, _ in rules[RuleKind.SERVE]),
        peers=tuple(rule for rule, _ in rules[RuleKind.PEERS]),
        unix_peers=tuple(rule for rule, _ in unix),
    )
    remarks: Remarks = {(kind, rule): _remarks(kind, seen) for kind in RuleKind for rule, seen in rules[kind]}
    remarks |= {(RuleKind.PEERS, rule): _remarks(RuleKind.PEERS, seen) for rule, seen in unix}
    return Suggestion(arrange_draft(Draft((made,), {})), remarks)


def _network_rules(flows: Iterable[_Seen], kind: RuleKind) -> Iterator[tuple[Rule, list[_Seen]]]:
    """Addresses with the same ports share rules."""
    by_address: dict[_Address, list[_Seen]] = {}
    for flow, summary in flows:
        if flow.kind == kind and flow.remote is not None:
            by_address.setdefault(flow.remote, []).append((flow, summary))
    by_ports: dict[tuple[Ports, ...], list[_Address]] = {}
    for address, seen in by_address.items():
        by_ports.setdefault(_ports({(flow.protocol, flow.port) for flow, _ in seen}), []).append(address)
    for ports, addresses in by_ports.items():
        for prefix, members in _merged(addresses):
            evidence = [each for address in members for each in by_address[address]]
            yield Rule(str(prefix), ports, _reason(evidence)), evidence


def _ports(seen: set[tuple[int, int]]) -> tuple[Ports, ...]:
    """Every port that was seen, neighbours as one range."""
    found: list[Ports] = []
    for protocol, port in sorted(seen):
        last = found[-1] if found else ICMP
        if last.protocol == protocol != Protocol.ICMP and last.high + 1 == port:
            found[-1] = Ports(protocol, last.low, port)
        else:
            found.append(ICMP if protocol == Protocol.ICMP else Ports(protocol, port, port))
    return tuple(found)


def _merged(addresses: Iterable[_Address]) -> list[tuple[Prefix, list[_Address]]]:
    """The fewest prefixes that hold these addresses and no others, each with its own."""
    merged: list[tuple[Prefix, list[_Address]]] = []
    for address in sorted(addresses, key=address_number):
        prefix, members = Prefix(address_number(address), BITS), [address]
        while merged and _are_halves(merged[-1][0], prefix):
            lower, others = merged.pop()
            prefix, members = Prefix(lower.address, lower.length - 1), others + members
        merged.append((prefix, members))
    return merged


def _are_halves(lower: Prefix, upper: Prefix) -> bool:
    size = 1 << (BITS - lower.length)
    return lower.length == upper.length and not lower.address & size and lower.address | size == upper.address


def _unix_rules(flows: Iterable[_Seen]) -> Iterator[tuple[UnixPeer, list[_Seen]]]:
    by_name: dict[str, list[_Seen]] = {}
    for flow, summary in flows:
        if flow.remote is None:
            by_name.setdefault(flow.unix_name, []).append((flow, summary))
    for name, seen in by_name.items():
        yield UnixPeer(name, _reason(seen)), seen


def _has_name(flow: Flow) -> bool:
    """Whether a rule can name exactly this. A backslash: the name has characters that cannot be printed."""
    if flow.remote is None:
        return "\\" not in flow.unix_name and _is_socket_path(flow.unix_name)
    if flow.protocol == Protocol.ICMP:
        return flow.port == 0
    return flow.protocol in (Protocol.TCP, Protocol.UDP) and flow.port != 0


def _is_socket_path(name: str) -> bool:
    try:
        return parse_socket_path(name) == name
    except InvalidError:
        return False


def _reason(seen: list[_Seen]) -> str:
    """Holds the place of the reason that a person gives."""
    last = max(summary.last_ns for _, summary in seen)
    count = sum(summary.count for _, summary in seen)
    text = f"seen {_times(count)} by {_commands(seen)} on {_hosts(seen)}, last {utc(last)}"
    return text[:MAX_TEXT].strip()


def _remarks(kind: RuleKind, seen: list[_Seen]) -> tuple[str, ...]:
    verdicts: Counter[Verdict] = Counter()
    for _, summary in seen:
        verdicts.update(summary.verdicts)
    first = min(summary.first_ns for _, summary in seen)
    what = ", ".join(f"{count} {verdict.name}" for verdict, count in verdicts.most_common())
    by = _some({" of ".join(filter(None, (flow.executable or flow.comm, flow.unit))) or "?" for flow, _ in seen})
    return (f"{what}; since {utc(first)}; by {by}", *(_PEER_WARNING if kind == RuleKind.PEERS else ()))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _commands(seen: list[_Seen]) -> str:
    return _some({flow.comm or "?" for flow, _ in seen})


def _hosts(seen: list[_Seen]) -> str:
    return _some({flow.host for flow, _ in seen})


def _some(names: set[str]) -> str:
    """The first of them, and how many more there are."""
    first = sorted(names)[:_NAMED]
    return ", ".join(first) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")

"""What rules cover: ranges of addresses x ranges of protocols and ports x time; and what is covered more than before.

Rules are compared by what they let through, not by how they are written: a prefix means the same as its two halves, a
group the same as its prefixes. Time is one number for every address and port, until when it is covered, since a rule
has an end and no beginning. All arithmetic is one sweep over the ends of ranges: of addresses first, then of ports.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from operator import itemgetter
from typing import NamedTuple, TypeVar

from landfast.policy.addresses import ALL_IPV4, BITS, Prefix, parse_prefix
from landfast.policy.model import GROUP, Rule
from landfast.policy.ports import ANY, PORT_BITS, Ports, merge
from landfast.policy.times import LAST

FOREVER = LAST + 1
NEVER = 0

Range = tuple[int, int]  # first and last number, both included
PortGain = tuple[tuple[Ports, ...], int, int]  # as in Gain
_Label = TypeVar("_Label", bound=Hashable)
_Value = TypeVar("_Value")
_Address = TypeVar("_Address", IPv4Address, IPv6Address)

_PROTOCOLS = 256
_IPV4 = 2 << BITS  # IPv4 is counted behind all of IPv6, none of whose prefixes covers it: so each prefix is one range,
_MAPPED = (ALL_IPV4.address, ALL_IPV4.address | 0xFFFFFFFF)  # and this range of IPv6 has no addresses


class Grant(NamedTuple):
    """`ports` are covered before `until`, in seconds since 1970, or `FOREVER`."""

    ports: tuple[Ports, ...]
    until: int


Grants = frozenset[Grant]
Area = tuple[Range, Grants]  # a range of addresses, and what is covered at each of them


class Gain(NamedTuple):
    """At these addresses `ports` were covered until `was` (`NEVER`: not at all) and are covered until `until`."""

    addresses: Range
    ports: tuple[Ports, ...]
    was: int
    until: int

    @property
    def remote(self) -> str:
        """The addresses as a prefix, or as `FIRST-LAST` where they are no single one."""
        first, last = self.addresses
        if first >= _IPV4:
            return _span(IPv4Address(first - _IPV4), IPv4Address(last - _IPV4))
        return _span(IPv6Address(first), IPv6Address(last))


def _span(first: _Address, last: _Address) -> str:
    prefixes = [str(each) for each in summarize_address_range(first, last)]
    return prefixes[0] if len(prefixes) == 1 else f"{first}-{last}"


def addresses(prefix: Prefix) -> Range:
    """The addresses of a prefix, in the numbers of this module."""
    first = _IPV4 | prefix.address & 0xFFFFFFFF if prefix.is_ipv4 else prefix.address
    return first, first | (1 << (BITS - prefix.length)) - 1


def everything() -> set[Area]:
    """Every address, protocol and port, for ever."""
    always = frozenset([Grant((ANY,), FOREVER)])
    return {(addresses(prefix), always) for prefix in (ALL_IPV4, Prefix(0, 0))}


def numbers(ports: Ports) -> Range:
    """Protocol and port as one number."""
    if ports.is_any:
        return 0, (_PROTOCOLS << PORT_BITS) - 1
    return ports.protocol << PORT_BITS | ports.low, ports.protocol << PORT_BITS | ports.high


def sweep(placed: Iterable[tuple[Range, _Label]]) -> Iterator[tuple[Range, frozenset[_Label]]]:
    """The ranges between neighbouring ends, in ascending order, each with every label that is placed there."""
    edges = [edge for (first, last), label in placed for edge in ((first, label, 1), (last + 1, label, -1))]
    active: Counter[_Label] = Counter()
    at = 0
    for number, label, change in sorted(edges, key=itemgetter(0)):
        if number > at and active:
            yield (at, number - 1), frozenset(active)
        at = number
        active[label] += change
        if not active[label]:
            del active[label]


def areas(rules: Iterable[Rule], groups: Mapping[str, tuple[str, ...]]) -> set[Area]:
    """What `rules` cover. Rules about the same destination are one area: many may share a group of many prefixes."""
    by_remote: dict[str, Grants] = {}
    shared = cache(lambda grant: frozenset([grant]))  # by thousands of destinations
    for rule in rules:
        grants = shared(grant_of(rule))
        by_remote[rule.remote] = by_remote[rule.remote] | grants if rule.remote in by_remote else grants
    return {(each, grants) for remote, grants in by_remote.items() for each in places(remote, groups)}


def grant_of(rule: Rule) -> Grant:
    return Grant(rule.ports, FOREVER if rule.expires is None else rule.expires)


def places(remote: str, groups: Mapping[str, tuple[str, ...]]) -> Iterator[Range]:
    """The addresses that `remote`, a prefix or `group:NAME`, stands for."""
    prefixes = groups[remote.removeprefix(GROUP)] if remote.startswith(GROUP) else (remote,)
    return (addresses(parse_prefix(text)) for text in prefixes)


def open_in_both(one: set[Area], other: set[Area]) -> set[Area]:
    """Where both cover any port, until the earlier of the two ends."""
    sides = ((False, one), (True, other))
    placed = [
        (each, (side, grant.until))
        for side, found in sides
        for each, granted in found
        for grant in granted
        if grant.ports == (ANY,)
    ]
    ends = ((each, min(_times(labels))) for each, labels in sweep(placed))
    return {(each, frozenset([Grant((ANY,), end)])) for each, end in ends if end}


def gains(before: set[Area], after: set[Area]) -> Iterator[Gain]:
    """What is covered in `after` and not, or not for as long, in `before`; neighbours with the same gain are one."""
    fresh = after - before
    if not fresh:
        return
    placed = [(each, (True, grants)) for each, grants in fresh]
    placed += [(each, (False, grants)) for each, grants in before]
    of_ports = cache(lambda active: port_gains(*_sides(active)))
    for (first, last), gained in _joined((each, of_ports(active)) for each, active in sweep(placed)):
        if not _MAPPED[0] <= first <= last <= _MAPPED[1]:
            yield from (Gain((first, last), *each) for each in gained)


def _sides(active: Iterable[tuple[bool, Grants]]) -> tuple[Grants, Grants]:
    """What is marked False, and what is marked True."""
    sides: dict[bool, Grants] = {False: frozenset(), True: frozenset()}
    for side, grants in active:
        sides[side] |= grants
    return sides[False], sides[True]


def port_gains(before: Grants, after: Grants) -> tuple[PortGain, ...]:
    """What `after` covers and `before` does not, or not for as long, where both are about the same address."""
    sides = ((False, before), (True, after))
    placed = [
        (numbers(ports), (side, grant.until)) for side, granted in sides for grant in granted for ports in grant.ports
    ]
    gained: dict[tuple[int, int], list[Ports]] = {}
    for each, (was, until) in _joined((each, _times(ends)) for each, ends in sweep(placed)):
        if was < until:
            gained.setdefault((was, until), []).append(_ports(each))
    return tuple((merge(ports), was, until) for (was, until), ports in sorted(gained.items()))


def _times(ends: Iterable[tuple[bool, int]]) -> tuple[int, int]:
    """The latest end of those that are marked False, and of those that are marked True."""
    latest = {False: NEVER, True: NEVER}
    for side, end in ends:
        latest[side] = max(latest[side], end)
    return latest[False], latest[True]


def _ports(each: Range) -> Ports:
    """`ANY` for whatever no rule but one about any port covers."""
    first, last = each
    mask = (1 << PORT_BITS) - 1
    whole = first >> PORT_BITS != last >> PORT_BITS
    return ANY if whole else Ports(first >> PORT_BITS, first & mask, last & mask)


def _joined(found: Iterable[tuple[Range, _Value]]) -> Iterator[tuple[Range, _Value]]:
    """Neighbours that have the same value as one range."""
    pending: tuple[Range, _Value] | None = None
    for (first, last), value in found:
        if pending and pending[1] == value and pending[0][1] + 1 == first:
            pending = (pending[0][0], last), value
            continue
        if pending:
            yield pending
        pending = (first, last), value
    if pending:
        yield pending

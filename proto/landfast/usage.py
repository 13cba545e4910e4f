"""Which rules of a policy nothing that was recorded is about: whatever was decided then, or else allows the same."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from landfast.flows import MOST, Sighting
from landfast.policy.addresses import BITS, Prefix, address_number, parse_prefix
from landfast.policy.model import Policy, Rule, UnixPeer
from landfast.policy.numbering import NumberedRule, RuleKind, numbered

_ADDRESS = itemgetter(0)


class _Use(NamedTuple):
    """Something that a rule of a list may cover. Sorted by address."""

    address: int
    protocol: int
    port: int


class Usage:
    """Takes in sightings. Memory is bounded: once `most` different uses are known, `complete` is over."""

    def __init__(self, most: int = MOST) -> None:
        self.complete = True
        self._uses: dict[tuple[str, RuleKind], set[_Use]] = {}
        self._names: set[tuple[str, str]] = set()  # class and unix socket
        self._left = most

    def passing(self, seen: Iterable[Sighting]) -> Iterator[Sighting]:
        """The same sightings, taken in one by one as they are asked for."""
        for each in seen:
            self.add(each)
            yield each

    def add(self, seen: Sighting) -> None:
        for name in seen.flow.classes:
            if seen.flow.remote is None:
                self._names.add((name, seen.flow.unix_name))
            else:
                self._add_address(name, seen, address_number(seen.flow.remote))

    def _add_address(self, name: str, seen: Sighting, address: int) -> None:
        """An answer is allowed by the local port, or like any other packet by the remote one."""
        flow, outward = seen.flow, RuleKind.PEERS if seen.local else RuleKind.ALLOW
        self._keep((name, outward), _Use(address, flow.protocol, seen.remote_port))
        if flow.kind == RuleKind.SERVE:
            self._keep((name, RuleKind.SERVE), _Use(address, flow.protocol, flow.port))

    def _keep(self, where: tuple[str, RuleKind], use: _Use) -> None:
        known = self._uses.setdefault(where, set())
        if use in known:
            return
        if self._left:
            self._left -= 1
            known.add(use)
        else:
            self.complete = False

    def unused(self, policy: Policy) -> Iterator[NumberedRule]:
        """Rules that cover nothing of what was seen. To be believed while `complete`."""
        ordered = {where: sorted(uses) for where, uses in self._uses.items()}
        for each in numbered(policy):
            if isinstance(each.rule, UnixPeer):
                used = (each.owner.name, each.rule.path) in self._names
            else:
                used = _covers_any(policy, each.rule, ordered.get((each.owner.name, each.kind), []))
            if not used:
                yield each


def _covers_any(policy: Policy, rule: Rule, uses: list[_Use]) -> bool:
    texts = policy.groups[rule.group] if rule.group else (rule.remote,)
    return bool(uses) and any(_within(parse_prefix(text), rule, uses) for text in texts)


def _within(prefix: Prefix, rule: Rule, uses: list[_Use]) -> bool:
    last = prefix.address | ((1 << (BITS - prefix.length)) - 1)
    start, end = bisect_left(uses, prefix.address, key=_ADDRESS), bisect_right(uses, last, key=_ADDRESS)
    return any(
        prefix.covers(use.address) and any(ports.covers(use.protocol, use.port) for ports in rule.ports)
        for use in uses[start:end]
    )

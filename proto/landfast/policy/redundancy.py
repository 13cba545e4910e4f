"""Rules of one list that say the same: which share addresses and ports, and which of them nobody would miss."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations

from msgspec import Struct

from landfast.policy.coverage import grant_of, numbers, places, port_gains, sweep
from landfast.policy.model import Rule


class Redundancy(Struct, frozen=True):
    """By position in the list: with which other rules a rule shares something, and what no other rule covers."""

    shares: dict[int, set[int]]
    needed: set[int]

    def shadowed(self, position: int) -> bool:
        """Whether other rules cover all of this one, for as long: without it alone nothing would be denied."""
        return position not in self.needed


def redundancy(rules: Sequence[Rule], groups: Mapping[str, tuple[str, ...]]) -> Redundancy:
    """Takes seconds for 100,000 prefixes; the square of the number of rules that meet in one address."""
    by_remote: dict[str, list[int]] = {}
    for position, rule in enumerate(rules):
        by_remote.setdefault(rule.remote, []).append(position)
    placed = [(each, tuple(found)) for remote, found in by_remote.items() for each in places(remote, groups)]
    result = Redundancy({position: set() for position in range(len(rules))}, set())
    for labels in {active for _, active in sweep(placed)}:
        _compare({position: rules[position] for label in labels for position in label}, result)
    return result


def _compare(meeting: Mapping[int, Rule], result: Redundancy) -> None:
    """Adds to `result` what the rules of one address say about each other."""
    for one, other in permutations(meeting, 2):
        if _share_ports(meeting[one], meeting[other]):
            result.shares[one].add(other)
    for one in meeting.keys() - result.needed:
        others = (meeting[other] for other in meeting if other != one)
        if _adds_to(others, meeting[one]):
            result.needed.add(one)


def _share_ports(one: Rule, other: Rule) -> bool:
    pairs = ((numbers(mine), numbers(theirs)) for mine in one.ports for theirs in other.ports)
    return any(mine[0] <= theirs[1] and theirs[0] <= mine[1] for mine, theirs in pairs)


def _adds_to(others: Iterable[Rule], rule: Rule) -> bool:
    return bool(port_gains(frozenset(map(grant_of, others)), frozenset([grant_of(rule)])))

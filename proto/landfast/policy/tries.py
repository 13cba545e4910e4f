"""The two tries: destinations by address, and ports within a destination."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from landfast.policy.addresses import ALL_IPV4, BITS, Prefix, parse_prefix
from landfast.policy.entries import Entries, Entry
from landfast.policy.errors import InvalidError
from landfast.policy.flatten import Block, RuleSet, Unions, flatten
from landfast.policy.grants import Grants
from landfast.policy.layout import DEST, DEST_KEY, PORT_KEY
from landfast.policy.model import GROUP, Policy, Rule
from landfast.policy.numbering import NumberedRule, RuleKind
from landfast.policy.placed import Placed
from landfast.policy.ports import PORT_BITS, blocks
from landfast.policy.prefixes import Prefixes, parse_prefixes
from landfast.verdict import Space

MAX_ENTRIES = 1 << 20  # of one trie; more would take a host seconds to load and hundreds of MiB to hold
_SPACES = {RuleKind.ALLOW: Space.ALLOW, RuleKind.SERVE: Space.SERVE, RuleKind.PEERS: Space.PEER}
_PORT_KEY_BITS = 48  # of a port key before the port itself: table id, protocol, pad


@dataclass
class Tries:
    """Fills both tries from the network rules of a policy."""

    policy: Policy
    rules: dict[int, tuple[NumberedRule, Rule]]
    grants: Grants
    dests: list[Entries] = field(default_factory=list)
    ports: list[Entry] = field(default_factory=list)
    _unions: Unions = field(default_factory=Unions)
    _values: dict[RuleSet, bytes] = field(default_factory=dict)
    _tables: dict[RuleSet, int] = field(default_factory=lambda: {(): 0})

    def fill(self) -> None:
        for space in Space:
            placed = Placed(self._sources(space))
            wide = placed.wide()
            own = _own_rules(placed.blocks(wide))
            around = tuple(flatten(own, BITS, self._unions, _barrier(own)))
            self.dests.append(Entries.of((_dest_key(space, block), self._dest(rules)) for block, rules in around))
            self.dests.append(placed.entries(~wide, space, around, self._inner))
        _limit("destinations", sum(map(len, self.dests)))

    def _sources(self, space: Space) -> list[tuple[Prefixes, RuleSet]]:
        """What each prefix or group that rules name stands for, with the numbers of those rules."""
        named: dict[str, list[int]] = {}
        for number, (each, rule) in self.rules.items():
            if _SPACES[each.kind] == space:
                named.setdefault(rule.remote, []).append(number)
        return [(self._prefixes(remote), tuple(numbers)) for remote, numbers in named.items()]

    def _prefixes(self, remote: str) -> Prefixes:
        if remote.startswith(GROUP):
            return parse_prefixes(self.policy.groups[remote.removeprefix(GROUP)])
        return Prefixes.of([parse_prefix(remote)])

    def _inner(self, around: RuleSet, own: RuleSet) -> bytes:
        return self._dest(self._unions.of(around, own))

    def _dest(self, rules: RuleSet) -> bytes:
        if rules not in self._values:
            by_port = tuple(number for number in rules if not self.rules[number][1].any_port)
            any_port = tuple(number for number in rules if self.rules[number][1].any_port)
            self._values[rules] = DEST.pack(self.grants.pack(any_port), self._port_table(by_port))
        return self._values[rules]

    def _port_table(self, rules: RuleSet) -> int:
        if rules not in self._tables:
            self._tables[rules] = len(self._tables)
            self._fill_table(self._tables[rules], rules)
        return self._tables[rules]

    def _fill_table(self, table: int, rules: RuleSet) -> None:
        own = _own_rules((block, number) for number in rules for block in _port_blocks(self.rules[number][1]))
        for (first, length), granted in flatten(own, 8 + PORT_BITS, self._unions):
            self.ports.append((_port_key(table, first, length), self.grants.pack(granted)))
            _limit("port blocks", len(self.ports))


def _own_rules(placed: Iterable[tuple[Block, int]]) -> dict[Block, RuleSet]:
    """The rules that stand at each block itself."""
    own: dict[Block, list[int]] = {}
    for block, number in placed:
        own.setdefault(block, []).append(number)
    shared: dict[RuleSet, RuleSet] = {}
    return {block: shared.setdefault(rules := tuple(sorted(set(numbers))), rules) for block, numbers in own.items()}


def _barrier(own: dict[Block, RuleSet]) -> Block:
    """All of IPv4, entered without rules where an IPv6 prefix lies around it and would be found for it."""
    if any(Prefix(*block).length < ALL_IPV4.length and _surrounds_ipv4(Prefix(*block)) for block in own):
        own.setdefault(ALL_IPV4, ())
    return ALL_IPV4


def _surrounds_ipv4(prefix: Prefix) -> bool:
    return (prefix.address ^ ALL_IPV4.address) >> (BITS - prefix.length) == 0


def _port_blocks(rule: Rule) -> Iterator[Block]:
    """Ports as blocks of the 24-bit number (protocol, port)."""
    for ports in rule.ports:
        for first, length in blocks(ports.low, ports.high):
            yield ports.protocol << PORT_BITS | first, 8 + length


def _dest_key(space: Space, block: Block) -> bytes:
    address, length = block
    return DEST_KEY.pack(32 + length, space, address.to_bytes(16))


def _port_key(table: int, first: int, length: int) -> bytes:
    port = (first & 0xFFFF).to_bytes(2)
    return PORT_KEY.pack(_PORT_KEY_BITS + length - 8, table, first >> PORT_BITS, port)


def _limit(what: str, entries: int) -> None:
    if entries > MAX_ENTRIES:
        raise InvalidError(
            f"the rules make more than {MAX_ENTRIES} {what}",
            "use wider prefixes, or ranges of ports that several destinations share",
        )

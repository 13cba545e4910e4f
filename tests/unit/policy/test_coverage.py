"""Arithmetic on what rules cover, against trying every address and port of a small world."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.policy.addresses import BITS, Prefix, parse_prefix
from landfast.policy.coverage import FOREVER, NEVER, Area, addresses, areas, gains, numbers, open_in_both
from landfast.policy.model import Rule
from landfast.policy.ports import ANY, ICMP, Ports, merge

HALVES = ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.2/32", "0.0.0.0/0", "::/0", "::/1", "2001:db8::/127"]
HALVES += ["group:hamar", "group:dublin", "2001:db8::1/128", "::fffe:0:0/95"]
GROUPS = {"hamar": ("10.0.0.0/31", "2001:db8::1/128"), "dublin": ("10.0.0.0/32", "10.0.0.1/32", "10.0.0.3/32")}
PORTS = [ANY, ICMP, Ports(6, 1, 3), Ports(6, 2, 2), Ports(6, 3, 4), Ports(6, 1, 65535), Ports(17, 2, 3)]
ADDRESSES = [
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "192.0.2.1",
    "::",
    "2001:db8::1",
    "::1:0:0:0",
    "::fffe:0:0",
]
TIMES = [None, 100, 200]
rules = st.lists(
    st.builds(
        Rule,
        remote=st.sampled_from(HALVES),
        ports=st.lists(st.sampled_from(PORTS), min_size=1, max_size=2).map(merge),
        reason=st.just("test"),
        expires=st.sampled_from(TIMES),
    ),
    max_size=4,
).map(tuple)
POINTS = list(product(ADDRESSES, (1, 6, 17, 132), range(6)))


def _until(found: tuple[Rule, ...], address: str, protocol: int, port: int) -> int:
    number = parse_prefix(address).address
    ends = [
        FOREVER if rule.expires is None else rule.expires
        for rule in found
        for text in GROUPS.get(rule.group, (rule.remote,))
        if parse_prefix(text).covers(number) and any(ports.covers(protocol, port) for ports in rule.ports)
    ]
    return max(ends, default=NEVER)


def _at(found: set[Area], address: str, protocol: int, port: int) -> int:
    [number, _], [wanted, _] = addresses(parse_prefix(address)), numbers(Ports(protocol, port, port))
    ends = [
        grant.until
        for (first, last), granted in found
        for grant in granted
        for ports in grant.ports
        if first <= number <= last and numbers(ports)[0] <= wanted <= numbers(ports)[1]
    ]
    return max(ends, default=NEVER)


@settings(max_examples=300, deadline=None)
@given(rules, rules)
def test_gains_are_what_is_covered_longer(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> None:
    found = list(gains(areas(before, GROUPS), areas(after, GROUPS)))
    for point in POINTS:
        was, until = _until(before, *point), _until(after, *point)
        told = {(each.was, each.until) for each in found if _holds(each.addresses, each.ports, *point)}
        if was < until:
            assert (was, until) in told
        elif ANY not in {ports for each in found for ports in each.ports}:
            assert not told
    assert bool(found) or not any(_until(before, *point) < _until(after, *point) for point in POINTS)
    assert not list(gains(areas(before + after, GROUPS), areas(after, GROUPS)))


def _holds(where: tuple[int, int], ports: tuple[Ports, ...], address: str, protocol: int, port: int) -> bool:
    number = addresses(parse_prefix(address))[0]
    return where[0] <= number <= where[1] and any(each.covers(protocol, port) for each in ports)


@settings(max_examples=200, deadline=None)
@given(rules, rules)
def test_open_in_both(one: tuple[Rule, ...], other: tuple[Rule, ...]) -> None:
    both = open_in_both(areas(one, GROUPS), areas(other, GROUPS))
    for address in ADDRESSES:
        ends = [_until(tuple(rule for rule in each if rule.any_port), address, 0, 0) for each in (one, other)]
        assert _at(both, address, 6, 443) == min(ends)


def _gained(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> list[str]:
    sides = [areas([Rule(to, _ports(ports), "test") for to, ports in side], GROUPS) for side in (before, after)]
    return [f"{gain.remote} {','.join(map(str, gain.ports))}" for gain in gains(*sides)]


def _ports(text: str) -> tuple[Ports, ...]:
    from landfast.policy.ports import parse_port_list

    return parse_port_list(text)


def test_what_is_written_otherwise_gains_nothing() -> None:
    whole = [("10.0.0.0/8", "tcp/1-100")]
    halves = [("10.0.0.0/9", "tcp/1-50,tcp/51-100"), ("10.128.0.0/9", "tcp/1-60"), ("10.128.0.0/9", "tcp/61-100")]
    assert _gained(whole, halves) == _gained(halves, whole) == []
    assert _gained([("::/0", "any")], [("::/1", "any"), ("8000::/1", "any"), ("::fffe:0:0/96", "icmp")]) == []
    around = [f"{Prefix(0xFFFE << 32, 96)}", *(str(Prefix(_sibling(length), length)) for length in range(1, 96))]
    assert _gained([(prefix, "any") for prefix in around], [("::/0", "any")]) == []


def _sibling(length: int) -> int:
    """What lies beside IPv4 in the prefix that is one bit shorter."""
    return (0xFFFF << 32 ^ 1 << (BITS - length)) >> (BITS - length) << (BITS - length)


def test_gains_are_told_in_few_words() -> None:
    assert _gained([("10.0.0.0/16", "tcp/443")], [("10.0.0.0/15", "tcp/443")]) == ["10.1.0.0/16 tcp/443"]
    assert _gained([], [("::/0", "icmp"), ("0.0.0.0/0", "icmp")]) == ["::/0 icmp", "0.0.0.0/0 icmp"]
    assert _gained([("10.0.0.0/24", "tcp/443")], [("10.0.0.0/24", "any")]) == ["10.0.0.0/24 any"]
    assert _gained([("10.0.0.0/24", "tcp/443")], [("10.0.0.0/24", "tcp/442-444")]) == ["10.0.0.0/24 tcp/442,tcp/444"]
    holed = [("10.0.0.0/32", "any"), ("10.0.0.3/32", "any")]
    assert _gained(holed, [("10.0.0.0/24", "any")]) == ["10.0.0.1-10.0.0.2 any", "10.0.0.4-10.0.0.255 any"]
    assert _gained([], [("10.0.0.0/25", "any"), ("10.0.0.128/25", "any")]) == ["10.0.0.0/24 any"]

"""The compiled tables say what the rules say, for every question."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from landfast.policy.addresses import Prefix
from landfast.policy.digest import digest_of
from landfast.policy.entries import Entries
from landfast.policy.errors import PolicyError
from landfast.policy.evaluate import Question, evaluate
from landfast.policy.layout import DEST, DEST_KEY, GRANT, INDEX, INSTANT
from landfast.policy.lookup import TableSlot, decide
from landfast.policy.model import Policy, Rule
from landfast.policy.order import arrange
from landfast.policy.ports import ANY, Ports
from landfast.policy.tables import compile_policy
from landfast.verdict import Verdict
from tests.unit.policy.examples import EXPIRY, policy_of, with_rules
from tests.unit.policy.strategies import policies, questions

DIGEST = sha256(b"canonical").digest()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_tables_decide_as_the_rules_do(data: st.DataObject) -> None:
    policy = data.draw(policies())
    slot = TableSlot(compile_policy(policy, DIGEST))
    for question in data.draw(st.lists(questions(policy), min_size=5, max_size=20)):
        by_rules, by_tables = evaluate(policy, question), decide(slot, question)
        assert (by_tables.verdict, by_tables.reason, by_tables.missing) == (
            by_rules.verdict,
            by_rules.reason,
            by_rules.missing,
        )
        assert set(by_tables.rules) <= set(by_rules.rules)


def _prefix(key: bytes) -> str:
    length, _space, address = DEST_KEY.unpack(key)
    return str(Prefix(int.from_bytes(address), length - 32))


def test_more_specific_entries_inherit() -> None:
    tables = compile_policy(with_rules(("10.0.0.0/8", "any"), ("10.20.0.0/16", "tcp/443")), DIGEST)
    grants = {_prefix(key): GRANT.unpack(value[: GRANT.size]) for key, value in tables.dests}
    assert grants == {"10.0.0.0/8": (1, 0, 0, 1), "10.20.0.0/16": (1, 0, 0, 1)}
    assert [GRANT.unpack(value) for _, value in tables.ports] == [(1, 0, 0, 2)]


def test_a_grant_of_several_rules_names_none() -> None:
    tables = compile_policy(with_rules(("10.0.0.0/8", "any"), ("10.20.0.0/16", "any")), DIGEST)
    assert [GRANT.unpack(value[: GRANT.size]) for _, value in tables.dests] == [(1, 0, 0, 1), (1, 0, 0, 0)]


def test_ipv6_prefixes_stop_at_ipv4() -> None:
    tables = compile_policy(with_rules(("::/0", "any")), DIGEST)
    assert {_prefix(key): any(value) for key, value in tables.dests} == {"::/0": True, "0.0.0.0/0": False}
    merged = compile_policy(with_rules(("::/0", "any"), ("0.0.0.0/0", "tcp/1")), DIGEST)
    dests = {_prefix(key): DEST.unpack(value) for key, value in merged.dests}
    assert (any(dests["0.0.0.0/0"][0]), dests["0.0.0.0/0"][1]) == (False, 1)
    alone = compile_policy(with_rules(("2001:db8::/32", "any")), DIGEST)
    assert [_prefix(key) for key, _ in alone.dests] == ["2001:db8::/32"]


def test_a_group_has_one_port_table() -> None:
    members = ", ".join(f"10.{index // 256}.{index % 256}.0/24" for index in range(2000))
    rule = "{to: group:g, ports: [tcp/443, tcp/1024-65535], reason: r}"
    policy = policy_of(f"version: 1\ndata_classes: {{pii: {{allow: [{rule}]}}}}\ngroups: {{g: [{members}]}}\n")
    tables = compile_policy(policy, DIGEST)
    assert (len(tables.dests), len(tables.ports)) == (2000, 1 + 6)
    assert {DEST.unpack(value)[1] for _, value in tables.dests} == {1}


@pytest.mark.parametrize(
    ("ports", "port", "allowed"),
    [
        ("tcp/1", 0, False),
        ("tcp/1", 1, True),
        ("tcp/1", 2, False),
        ("tcp/65535", 65534, False),
        ("tcp/65535", 65535, True),
        ("tcp/1-65535", 0, False),
        ("tcp/1-65535", 1, True),
        ("tcp/1-65535", 65535, True),
        ("tcp/443-444", 442, False),
        ("tcp/443-444", 444, True),
        ("tcp/443-444", 445, False),
        ("udp/443", 443, False),
        ("any", 0, True),
    ],
)
def test_ports_at_their_edges(ports: str, port: int, allowed: bool) -> None:
    slot = TableSlot(compile_policy(with_rules(("10.0.0.0/8", ports)), DIGEST))
    question = Question(tags=1, remote="10.1.2.3", protocol=6, remote_port=port)
    assert (decide(slot, question).verdict == Verdict.ALLOW) == allowed


def _edges(network: IPv4Network | IPv6Network) -> Iterator[tuple[int, bool]]:
    """The addresses at both ends, inside and outside, as numbers of their family."""
    first, last = int(network[0]), int(network[-1])
    yield from ((first, True), (last, True))
    yield from ((first - 1, False),) if first else ()
    yield from ((last + 1, False),) if last + 1 < 1 << network.max_prefixlen else ()


@pytest.mark.parametrize(
    ("address", "lengths"), [("172.21.170.85", range(33)), ("2001:db8:5555:aaaa:5555:aaaa:5555:aaaa", range(129))]
)
def test_prefixes_of_every_length_at_their_edges(address: str, lengths: range) -> None:
    for length in lengths:
        network = ip_network((address, length), strict=False)
        slot = TableSlot(compile_policy(with_rules((str(network), "any")), DIGEST))
        for number, inside in _edges(network):
            remote = str(type(network[0])(number))
            verdict = decide(slot, Question(tags=1, remote=remote, protocol=6, remote_port=1)).verdict
            assert (verdict == Verdict.ALLOW) == inside, (network, remote)


def test_digest_ignores_what_is_the_hosts_own() -> None:
    tables = compile_policy(policy_of(), DIGEST)
    lists = {name: list(reversed([*entries])) for name, entries in tables.maps.items()}
    lists["instants"] = [(key, value[:8] + b"\x07" * 8) for key, value in lists["instants"]]
    lists["instants"].append((INDEX.pack(77), bytes(INSTANT.size)))
    lists["timed_sets"].append((INDEX.pack(0), bytes(128)))
    maps = {name: Entries.of(entries) for name, entries in lists.items()}
    assert digest_of(maps, b"\x09" * 8 + tables.policy[8:], tables.glob) == tables.digest


def _altered(value: bytes) -> bytes:
    return bytes([value[0] ^ 0x55]) + value[1:]


def test_digest_sees_every_alteration() -> None:
    tables = compile_policy(policy_of(), DIGEST)
    seen = {tables.digest}
    for name, entries in tables.maps.items():
        for index, (key, value) in enumerate(entries):
            for changed in ([(key, _altered(value))], []):
                others = [each for at, each in enumerate(entries) if at != index]
                maps = tables.maps | {name: Entries.of([*others, *changed])}
                seen.add(digest_of(maps, tables.policy, tables.glob))
    generation, rest = tables.policy[:8], tables.policy[8:]
    seen.add(digest_of(tables.maps, generation + _altered(rest), tables.glob))
    seen.add(digest_of(tables.maps, tables.policy, _altered(tables.glob)))
    assert len(seen) == 3 + 2 * sum(map(len, tables.maps.values()))


def _timed(count: int) -> Policy:
    allow = [Rule(f"10.{n // 256}.{n % 256}.0/24", (ANY,), "r", expires=EXPIRY + n) for n in range(count)]
    return _with_allow(allow)


def _with_allow(allow: Iterable[Rule], **groups: tuple[str, ...]) -> Policy:
    policy = with_rules()
    classes = tuple(replace(each, allow=tuple(allow)) for each in policy.classes)
    return arrange(replace(policy, classes=classes, groups=groups))


@pytest.mark.parametrize(("excess", "limit"), [(1, "LF_INSTANTS"), (0, "LF_TIMED_SETS")])
def test_limits_are_named(excess: int, limit: str) -> None:
    """4096 instants fit, but with the empty one they make 4097 timed sets."""
    with pytest.raises(PolicyError, match=f"policy version 1: .*{limit}"):
        compile_policy(_timed(4096 + excess), DIGEST)
    assert len(compile_policy(_timed(23), DIGEST).instants) == 23


def test_entries_are_bounded() -> None:
    """1,100 destinations with 1,000 ports each, none of which two have in common."""
    wide = [Rule("0.0.0.0/0", (Ports(6, port, port),), "r") for port in range(1, 2001, 2)]
    narrow = [Rule(f"10.{n // 256}.{n % 256}.0/24", (Ports(17, 1, 1),), "r") for n in range(1100)]
    policy = _with_allow([*wide, *narrow])
    with pytest.raises(PolicyError, match="more than 1048576 port blocks; use wider prefixes"):
        compile_policy(policy, DIGEST)


def test_twenty_thousand_rules_and_a_group_of_as_many() -> None:
    members = tuple(f"10.{n // 256}.{n % 256}.{n % 256}/32" for n in range(20_000))
    single = [Rule(f"11.{n // 256}.{n % 256}.0/24", (Ports(6, 443, 443),), "r") for n in range(20_000)]
    policy = _with_allow([Rule("group:g", (Ports(6, 1024, 65535),), "r"), *single], g=members)
    tables = compile_policy(policy, DIGEST)
    assert (len(tables.dests), len(tables.ports)) == (40_000, 20_000 + 6)

"""What the canary tries is forbidden by definition, and is found wherever there is anything forbidden."""

from ipaddress import ip_address

import pytest
from hypothesis import given, settings

from landfast.policy import source
from landfast.policy.evaluate import Question, evaluate
from landfast.policy.model import Policy
from landfast.policy.succession import succeed
from landfast.verdict import Protocol, Verdict
from landfast_agent.forbidden import destinations
from tests.unit.policy.strategies import policies

NOW = 1_700_000_000.0
ANY = "ports: [any]"
V6 = f'to: "::/0", {ANY}'


def policy(*rules: str) -> Policy:
    allow = "".join(f"\n      - {{{rule}, reason: test}}" for rule in rules)
    return succeed(source.read(f"version: 1\ndata_classes:\n  eu:\n    allow:{allow or ' []'}\n").draft, None)


def found(one: Policy) -> list[tuple[str, str, int]]:
    return [(d.address, d.protocol.name, d.port) for d in destinations(one, one.classes[0], set(), NOW)]


def test_a_class_without_rules_is_tried_with_addresses_that_nobody_has() -> None:
    v4, v6 = "203.0.113.1", "2001:db8::1"
    assert found(policy()) == [(v4, "TCP", 9), (v4, "UDP", 9), (v6, "TCP", 9), (v6, "UDP", 9)]


def test_an_address_of_the_host_itself_is_not_tried() -> None:
    own = {b"\0" * 10 + b"\xff\xff" + ip_address("203.0.113.1").packed}
    one = policy()
    assert {d.address for d in destinations(one, one.classes[0], own, NOW)} == {"198.51.100.1", "2001:db8::1"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([f"to: 0.0.0.0/0, {ANY}", V6], []),
        (["to: 0.0.0.0/0, ports: [tcp/1-65535]", V6], [("203.0.113.1", "UDP", 9)]),
        (["to: 0.0.0.0/0, ports: [tcp/1-443, udp/1-65535]", V6], [("203.0.113.1", "TCP", 444)]),
        ([f"to: 128.0.0.0/1, {ANY}", f"to: 0.0.0.0/2, {ANY}", V6], [("64.0.0.0", "TCP", 9), ("64.0.0.0", "UDP", 9)]),
    ],
)
def test_what_is_left_is_found(rules: list[str], expected: list[tuple[str, str, int]]) -> None:
    assert found(policy(*rules)) == expected


@settings(max_examples=50, deadline=None)
@given(policies())
def test_whatever_is_tried_is_forbidden(one: Policy) -> None:
    for owner in one.classes:
        for each in destinations(one, owner, set(), NOW):
            question = Question(
                tags=owner.mask, remote=each.address, protocol=each.protocol, remote_port=each.port, now=NOW
            )
            assert evaluate(one, question).verdict == Verdict.DENY
            assert each.protocol in (Protocol.TCP, Protocol.UDP)

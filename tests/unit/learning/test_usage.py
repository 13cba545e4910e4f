"""Rules that nothing recorded is about."""

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.flows import Sighting
from landfast.policy.evaluate import evaluate
from landfast.policy.model import Policy
from landfast.policy.numbering import RuleKind
from landfast.policy.source import read
from landfast.policy.succession import succeed
from landfast.policy.tables import compile_policy
from landfast.replay import Replay
from landfast.usage import Usage
from landfast.verdict import Verdict
from tests.unit.learning.sights import sighting, sightings
from tests.unit.policy.strategies import policies

POLICY = """\
version: 1
data_classes:
  eu:
    allow:
      - {to: group:halls, ports: [tcp/443], reason: backups}
      - {to: 203.0.113.0/24, ports: [any], reason: everything}
      - {to: "2001:db8::/32", ports: [icmp], reason: ping}
    serve:
      - {from: 203.0.113.0/24, ports: [tcp/8443], reason: moderation}
    peers:
      - {to: 127.0.0.53/32, ports: [udp/53], reason: resolver}
      - {unix: /run/systemd/notify, reason: readiness}
groups:
  halls: [192.0.2.0/25, 203.0.113.128/25]
"""
BEFORE_EVERYTHING = 0.0


def unused(seen: Iterable[Sighting], most: int = 100) -> tuple[list[str], bool]:
    usage = Usage(most)
    for each in seen:
        usage.add(each)
    return [each.rule.reason for each in usage.unused(succeed(read(POLICY).draft, None))], usage.complete


def test_a_rule_is_used_by_what_it_covers_whoever_else_does() -> None:
    others = ["moderation", "resolver", "readiness"]
    assert unused([]) == (["ping", "everything", "backups", *others], True)
    assert unused([sighting("203.0.113.9", verdict=Verdict.ALLOW)])[0] == ["ping", "backups", *others]
    assert unused([sighting("203.0.113.129")])[0] == ["ping", *others]
    assert unused([sighting("192.0.2.1", port=444)])[0] == ["ping", "everything", "backups", *others]
    assert unused([sighting("192.0.2.1", classes=("other",))])[0] == ["ping", "everything", "backups", *others]
    assert unused([sighting("192.0.2.1", classes=("other", "eu"))])[0] == ["ping", "everything", *others]


def test_each_list_is_about_flows_of_its_own() -> None:
    answer = sighting("203.0.113.9", port=8443, kind=RuleKind.SERVE, remote_port=40000)
    resolver = sighting("127.0.0.53", port=53, protocol=17, kind=RuleKind.PEERS)
    notify = sighting(unix="/run/systemd/notify", kind=RuleKind.PEERS)
    assert unused([answer, resolver, notify])[0] == ["ping", "backups"]
    assert unused([sighting("127.0.0.53", port=53, protocol=17)])[0][-2:] == ["resolver", "readiness"]


def test_memory_is_bounded_and_that_is_told() -> None:
    seen = [sighting("203.0.113.9", port=port) for port in range(1, 25)]
    assert unused(seen, most=23)[1] is False
    assert unused(seen * 2, most=24)[1] is True


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_rule_is_unused_that_allows_something_by_definition(data: st.DataObject) -> None:
    policy: Policy = data.draw(policies())
    asked = Replay(policy, compile_policy(policy, bytes(32)), BEFORE_EVERYTHING)
    usage, allowing = Usage(), set()
    for seen in data.draw(st.lists(sightings(), max_size=20)):
        usage.add(seen)
        for carries in seen.peer.value:
            allowing |= set(evaluate(policy, asked.question(seen, carries)).rules)
    assert not allowing & {each.number for each in usage.unused(policy)}

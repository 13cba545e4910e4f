"""What `landfast break-glass` makes of a policy."""

from msgspec.structs import replace

from landfast.policy.model import Rule
from landfast.policy.ports import Ports
from landfast.policy.succession import succeed
from landfast_cli.emergency import Wanted, opened
from tests.unit.policy.examples import EXPIRY, NOW, policy_of

HTTPS = (Ports(6, 443, 443),)
RULE = Rule("192.0.2.7/32", HTTPS, "hall 2 is down", "INC-7", NOW + 3600)


def test_each_class_gets_each_rule() -> None:
    two = replace(RULE, remote="192.0.2.8/32")
    draft, incident = opened(policy_of(), Wanted(("eea-user-data", "pii"), (RULE, two)), NOW)
    assert all({RULE, two} <= set(each.allow) for each in draft.classes)
    assert (incident.rules, incident.renewed) == ({"eea-user-data": (RULE, two), "pii": (RULE, two)}, {})
    assert incident.until == NOW + 3600


def test_a_rule_that_is_over_is_prolonged() -> None:
    before = policy_of()
    old = next(rule for rule in before.classes[0].allow if rule.expires == EXPIRY)
    late = EXPIRY + 100
    rule = replace(RULE, remote=old.remote, ports=old.ports, expires=late + 3600)
    draft, incident = opened(before, Wanted(("eea-user-data",), (rule,)), late)
    assert incident.renewed == {"eea-user-data": (old,)}
    assert old not in succeed(draft, before).classes[0].allow

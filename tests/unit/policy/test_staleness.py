"""A stale policy as the kernel gets it."""

from hypothesis import given

from landfast.policy.model import Policy, StalePolicy
from landfast.policy.numbering import numbered
from landfast.policy.staleness import when_stale
from landfast.policy.widening import widenings
from tests.unit.policy.strategies import policies


@given(policies())
def test_it_only_narrows_and_leaves_classes_alone_that_hold(policy: Policy) -> None:
    stale = when_stale(policy)
    assert not widenings(policy, stale)
    for before, after in zip(policy.classes, stale.classes, strict=True):
        assert (before == after) or before.on_stale_policy == StalePolicy.DENY_ALL


@given(policies())
def test_rules_keep_their_numbers(policy: Policy) -> None:
    before, after = (
        [(each.number, each.kind, each.rule.target) for each in numbered(one)] for one in (policy, when_stale(policy))
    )
    assert before == after

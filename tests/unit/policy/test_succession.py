"""Versions and class bits over the life of a deployment."""

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from landfast.policy.errors import InvalidError, PolicyError
from landfast.policy.model import Draft, Policy
from landfast.policy.succession import check_succession, succeed
from tests.unit.policy.examples import draft_of, policy_of
from tests.unit.policy.strategies import drafts


def _with_classes(*names: str) -> Draft:
    lines = "".join(f"  {name}: {{}}\n" for name in names)
    return draft_of(f"version: 1\ndata_classes:\n{lines}" if names else "version: 1\ndata_classes: {}\n")


def test_the_first_version() -> None:
    policy = succeed(_with_classes("b", "a"), None)
    assert policy.version == 1
    assert policy.bits() == {"a": 0, "b": 1}
    assert policy.retired == {}


def test_bits_stay_with_names() -> None:
    first = succeed(_with_classes("b", "c"), None)
    second = succeed(_with_classes("a", "c"), first)
    assert (second.version, second.bits(), second.retired) == (2, {"a": 2, "b": 0, "c": 1}, {"b": 0})
    third = succeed(_with_classes("b"), second)
    assert (third.version, third.bits(), third.retired) == (3, {"a": 2, "b": 0, "c": 1}, {"a": 2, "c": 1})


def test_bits_are_used_up() -> None:
    names = [f"class-{index}" for index in range(64)]
    policy = succeed(_with_classes(*names[1:], "other"), succeed(_with_classes(*names[1:]), None))
    assert len(policy.bits()) == 64
    again = succeed(_with_classes("other"), policy)
    with pytest.raises(PolicyError, match=r"data class fresh: all 64 class bits are used up.*reuse one of these names"):
        succeed(_with_classes("fresh"), again)
    assert succeed(_with_classes("class-7"), again).bits() == policy.bits()


@settings(max_examples=50, deadline=None)
@given(drafts(), drafts())
def test_succession_is_accepted(first: Draft, second: Draft) -> None:
    one = succeed(first, None)
    two = succeed(second, one)
    check_succession(one, None)
    check_succession(two, one)
    assert two.draft() == second
    assert one.bits().items() <= two.bits().items()


def _changed_bit(policy: Policy) -> Policy:
    first, *rest = policy.classes
    return replace(policy, classes=(replace(first, bit=40), *rest))


def test_anything_else_is_no_succession() -> None:
    previous = policy_of()
    right = succeed(previous.draft(), previous)
    for wrong, problem in (
        (previous, "it is version 1, the next one is 2; make the change again on top of version 1"),
        (replace(right, version=3), "it is version 3, the next one is 2"),
        (_changed_bit(right), "bits do not follow from the version before: eea-user-data"),
        (replace(right, retired={"gone": 9}), "bits do not follow from the version before: gone"),
    ):
        with pytest.raises(PolicyError, match=problem):
            check_succession(wrong, previous)


def test_tags_and_names() -> None:
    policy = succeed(_with_classes("a", "c"), succeed(_with_classes("a", "b"), None))
    assert policy.tags(["a", "c", "a"]) == 0b101
    assert policy.names(0b10111) == ["a", "b", "c", "class-4"]
    with pytest.raises(InvalidError, match="no data class 'b'"):
        policy.tags(["b"])

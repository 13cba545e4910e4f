"""Who still has to approve."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.trust.approvals import Approvals
from landfast.trust.errors import TrustError
from tests.unit.trust.deployment import FOUR_EYES

_PEOPLE = ("a", "b", "c", "d")
_groups = st.dictionaries(st.sampled_from(("x", "y", "z")), st.sets(st.sampled_from(_PEOPLE)).map(tuple), min_size=1)


def test_one_of_each_group_approves_what_widens() -> None:
    assert FOUR_EYES.unmet({"alice", "carol"}, "dave", widens=True) == {}
    assert FOUR_EYES.unmet({"alice", "bob"}, "dave", widens=True) == {"privacy": 1}
    assert FOUR_EYES.unmet({"bob"}, "dave", widens=False) == {}


def test_the_proposer_never_counts() -> None:
    assert FOUR_EYES.unmet({"alice", "carol"}, "alice", widens=True) == {"sre": 1}


def test_until_groups_are_configured_ones_own_approval_is_enough() -> None:
    assert Approvals().unmet({"alice"}, "alice", widens=True) == {}
    assert Approvals().unmet(set(), "alice", widens=True) == {"any approver": 1}


def test_nobody_counts_for_two_groups() -> None:
    both = Approvals({"sre": ("alice", "bob"), "privacy": ("alice", "carol")}, {"sre": 1, "privacy": 1}, {"sre": 1})
    assert sum(both.unmet({"alice"}, "dave", widens=True).values()) == 1
    assert both.unmet({"alice", "bob"}, "dave", widens=True) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        Approvals({"sre": ("alice",)}, {"privacy": 1}, {"sre": 1}),
        Approvals({"sre": ("alice",)}, {"sre": 2}, {"sre": 1}),
        Approvals({"sre": ("alice",)}, {"sre": 1}, {}),
        Approvals({"sre": ("alice",)}, {"sre": 0}, {"sre": 1}),
    ],
)
def test_rules_that_nobody_or_everybody_could_meet_are_refused(wrong: Approvals) -> None:
    with pytest.raises(TrustError):
        wrong.check()


@settings(deadline=None)  # slow under load, and no matter
@given(_groups, st.data(), st.sets(st.sampled_from(_PEOPLE)))
def test_agrees_with_trying_every_way_to_seat_the_approvers(
    groups: dict[str, tuple[str, ...]], data: st.DataObject, approvers: set[str]
) -> None:
    required = {name: data.draw(st.integers(1, 2)) for name in groups}
    rules = Approvals(groups, required, required)
    places = [name for name, number in required.items() for _ in range(number)]
    seatings = product(range(-1, len(places)), repeat=len(approvers))
    best = max(_seated(sorted(approvers), places, groups, seats) for seats in seatings)
    assert sum(rules.unmet(approvers, "", widens=True).values()) == len(places) - best


def _seated(approvers: list[str], places: list[str], groups: dict[str, tuple[str, ...]], seats: tuple[int, ...]) -> int:
    """How many of the places are taken when approver i takes place seats[i], -1 being none; 0 when that cannot be."""
    taken = [(who, seat) for who, seat in zip(approvers, seats, strict=True) if seat >= 0]
    fits = all(who in groups[places[seat]] for who, seat in taken) and len({seat for _, seat in taken}) == len(taken)
    return len(taken) if fits else 0

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given

from landfast_controller.rollout.plan import Host, Plan, check_label, check_stages
from tests.unit.controller.rollout.sights import fleets, plans


def _names(number: int) -> list[Host]:
    return [Host(f"hall-{at}") for at in range(number)]


@given(plans(), fleets())
def test_each_stage_holds_the_one_before(plan: Plan, hosts: list[Host]) -> None:
    reached = [replace(plan, stage=stage).due(hosts) for stage in range(len(plan.stages))]
    assert all(before <= after for before, after in pairwise(reached))
    assert reached[-1] == {host.name for host in hosts}
    assert {host.name for host in hosts if host.has} <= reached[0]


@given(plans(), fleets())
def test_who_was_chosen_stays_chosen_when_it_has_the_version(plan: Plan, hosts: list[Host]) -> None:
    due = plan.due(hosts)
    given_ = [replace(host, has=True) if host.name in due and host.live else host for host in hosts]
    assert plan.due(given_) == due


@pytest.mark.parametrize(
    ("hosts", "share", "chosen"), [(1, "1%", 1), (10, "10%", 1), (11, "10%", 2), (200, "99%", 198)]
)
def test_a_percentage_is_rounded_up(hosts: int, share: str, chosen: int) -> None:
    assert len(Plan(7, (share, "all")).due(_names(hosts))) == chosen


def test_a_percentage_is_of_those_that_are_connected() -> None:
    hosts = [replace(host, live=at < 10) for at, host in enumerate(_names(100))]
    assert Plan(7, ("50%", "all")).due(hosts) < {f"hall-{at}" for at in range(10)}


def test_versions_choose_different_hosts() -> None:
    chosen = {Plan(version, ("10%", "all")).due(_names(100)) for version in range(20)}
    assert len(chosen) == 20


def test_a_label_reaches_its_hosts_alone() -> None:
    hosts = [Host("a", frozenset({"canary"})), Host("b", frozenset({"eu", "canary"}), live=False), Host("c")]
    assert Plan(7, ("canary", "all")).due(hosts) == {"a", "b"}


@pytest.mark.parametrize(
    "stages",
    [
        (),
        ("canary",),
        ("all", "10%"),
        ("0%", "all"),
        ("100%", "all"),
        ("50%", "10%", "all"),
        ("canary", "canary", "all"),
        ("Canary", "all"),
        ("all", "all"),
        ("", "all"),
    ],
)
def test_what_is_no_plan_is_refused(stages: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"stage|label"):
        check_stages(stages)


def test_plans() -> None:
    for stages in (("all",), ("canary", "10%", "50%", "all"), ("10%", "eu-west", "20%", "all")):
        check_stages(stages)


@pytest.mark.parametrize("label", ["", "all", "10%", "a,b", "-a", "a-", "x" * 64, "a b"])
def test_what_is_no_label_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match="is no label"):
        check_label(label)

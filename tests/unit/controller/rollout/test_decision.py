from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landfast_controller.rollout.decision import Advance, Finish, Give, Halt, Wait, decide, note
from landfast_controller.rollout.denials import Denials
from landfast_controller.rollout.plan import Host, Plan, Standing
from tests.unit.controller.rollout.sights import LIMITS, fleets, plans

_PLAN = Plan(8, ("canary", "50%", "all"))
_CANARY = frozenset({"canary"})
_WELL = Host("hall-1", _CANARY, has=True, standing=Standing.PROVED, well_s=60)
_ELSE = [Host(f"hall-{number}") for number in range(2, 6)]


def _failing(host: Host, how: str) -> Host:
    match how:
        case "refused":
            return replace(host, standing=Standing.FAILED, said="refused it: map full")
        case "lost":
            return replace(host, live=False, silent_s=121)
        case _:
            return replace(host, denials=(Denials("would-be denials", 51, 10.0, 1.0),))


@given(plans(), fleets())
def test_nobody_gets_it_beyond_the_stage_or_twice_or_while_away(plan: Plan, hosts: list[Host]) -> None:
    decided = decide(plan, hosts, LIMITS)
    if isinstance(decided, Give):
        fresh = {host.name for host in hosts if host.live and host.measured and not host.has}
        assert decided.hosts
        assert decided.hosts <= fresh & plan.due(hosts)


@given(plans(), fleets())
def test_no_stage_ends_before_each_host_that_has_it_is_well(plan: Plan, hosts: list[Host]) -> None:
    decided = decide(plan, hosts, LIMITS)
    if isinstance(decided, Advance | Finish):
        having = [host for host in hosts if host.has and not host.excused]
        assert all(host.live and host.standing == Standing.PROVED and host.well_s >= 60 for host in having)
        assert isinstance(decided, Finish) == plan.is_last
        assert not [host for host in hosts if host.live and not host.has and host.name in plan.due(hosts)]


@given(plans(), fleets(), st.sampled_from(["refused", "lost", "denials"]), st.integers(0, 99))
def test_each_cause_halts_it_wherever_it_is(plan: Plan, hosts: list[Host], how: str, at: int) -> None:
    having = [host for host in hosts if host.has and not host.excused]
    if not having:
        return
    bad = having[at % len(having)]
    decided = decide(plan, [_failing(host, how) if host is bad else host for host in hosts], LIMITS)
    assert isinstance(decided, Halt)
    assert bad.name in decided.why


@given(plans(), fleets(), st.sampled_from(["refused", "lost", "denials"]))
def test_hosts_without_it_never_halt_it(plan: Plan, hosts: list[Host], how: str) -> None:
    seen = [host if host.has and not host.excused else _failing(host, how) for host in hosts]
    assert not isinstance(decide(plan, seen, LIMITS), Halt)


@given(plans(), st.lists(st.booleans(), min_size=1, max_size=20))
def test_a_fleet_that_does_well_gets_it_stage_by_stage(plan: Plan, canaries: list[bool]) -> None:
    """Each decision is carried out, and everybody proves at once what they are given."""
    plan = replace(plan, stage=0)
    hosts = [Host(f"hall-{at}", _CANARY if canary else frozenset()) for at, canary in enumerate(canaries)]
    for _ in range(3 * len(plan.stages)):
        match decide(plan, hosts, LIMITS):
            case Give(names):
                proved = {"has": True, "standing": Standing.PROVED, "well_s": 60.0}
                hosts = [replace(host, **proved) if host.name in names else host for host in hosts]
            case Advance():
                plan = replace(plan, stage=plan.stage + 1)
            case Finish():
                break
            case other:
                raise AssertionError(other)
    assert all(host.has for host in hosts)


def test_words() -> None:
    assert decide(_PLAN, [_failing(_WELL, "refused"), *_ELSE], LIMITS) == Halt("hall-1 refused it: map full")
    assert decide(_PLAN, [_failing(_WELL, "denials"), *_ELSE], LIMITS) == Halt(
        "hall-1 denies more: 51 would-be denials in 10 s, 1.00 a second before"
    )
    waiting = replace(_WELL, standing=Standing.WAITING)
    assert decide(_PLAN, [waiting, *_ELSE], LIMITS) == Wait("hall-1 to prove it")
    assert decide(_PLAN, [replace(_WELL, well_s=18)], LIMITS) == Wait("hall-1 to stay well for 42 s more")
    assert decide(_PLAN, [replace(_WELL, live=False, silent_s=9)], LIMITS) == Wait("hall-1 to come back")
    away = [Host("hall-9", _CANARY, live=False), *_ELSE]
    assert decide(_PLAN, away, LIMITS) == Wait("one of hall-9 to come back")


def test_who_has_just_connected_gets_it_when_there_is_something_to_compare_with() -> None:
    hosts = [_WELL, Host("hall-9", _CANARY, measured=False)]
    assert decide(_PLAN, hosts, LIMITS) == Wait("hall-9 to tell how much is denied there")


def test_a_stage_without_hosts_is_over() -> None:
    assert decide(_PLAN, _ELSE, LIMITS) == Advance()
    assert decide(replace(_PLAN, stage=2), [], LIMITS) == Finish()


def test_who_is_away_holds_nobody_up() -> None:
    hosts = [_WELL, Host("hall-9", _CANARY, live=False)]
    assert decide(_PLAN, hosts, LIMITS) == Advance()
    assert decide(replace(_PLAN, stage=2), hosts, LIMITS) == Finish()


def test_who_is_set_aside_counts_no_more() -> None:
    for how in ("refused", "lost", "denials"):
        assert decide(_PLAN, [replace(_failing(_WELL, how), excused=True), *_ELSE], LIMITS) == Advance()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (Host("a"), "not reached yet"),
        (Host("a", live=False), "away, not reached yet"),
        (_WELL, "well for 60 s"),
        (replace(_WELL, standing=Standing.WAITING), "has not proved it yet"),
        (replace(_WELL, live=False, silent_s=7), "silent for 7 s"),
        (_failing(_WELL, "refused"), "refused it: map full"),
        (replace(_failing(_WELL, "refused"), excused=True), "set aside: refused it: map full"),
    ],
)
def test_notes(host: Host, words: str) -> None:
    assert note(host, LIMITS) == words

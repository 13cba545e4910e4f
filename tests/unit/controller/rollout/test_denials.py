import pytest

from landfast.v1.agent_pb2 import Health
from landfast_controller.rollout import denials
from landfast_controller.rollout.denials import Denials, Sample

_S = 1_000_000_000


def _health(denied: int = 0, would_deny: int = 0, canary: int = 0) -> Health:
    """Counters as an agent tells them: 8 for each of 8 stages, then failures."""
    counters = [0] * 72
    counters[1 * 8 + 2], counters[3 * 8 + 2] = denied, 7
    counters[2 * 8 + 3] = would_deny
    counters[1 * 8 + 7] = canary
    return Health(counters=counters)


def test_counters_are_summed_over_the_stages_without_the_canary() -> None:
    assert denials.sample_of(_health(50, 11, 6), 5) == Sample(5, 51, 11)
    assert denials.sample_of(Health(), 5) is None


def test_what_a_host_is_compared_with() -> None:
    samples = [Sample(0, 100, 0), Sample(5 * _S, 104, 0), Sample(20 * _S, 140, 10)]
    reference = denials.reference_of(samples)
    assert reference is not None
    assert (reference.sample, reference.denied_rate, reference.would_deny_rate) == (samples[-1], 2.0, 0.5)
    assert denials.reference_of([]) is None
    found = denials.since(reference, [*samples, Sample(30 * _S, 200, 10)])
    assert found == (Denials("denials", 60, 10.0, 2.0), Denials("would-be denials", 0, 10.0, 0.5))


def test_a_rare_denial_is_no_jump_however_long_one_waits() -> None:
    reference = denials.reference_of([Sample(0, 0, 0)])
    assert reference
    waited = [Sample(at * _S, at // 100, 0) for at in range(5700, 6001, 5)]
    assert denials.since(reference, waited)[0] == Denials("denials", 3, 300.0, 0.0)
    assert denials.since(reference, [Sample(299 * _S, 50, 0)])[0].number == 50


def test_counters_that_begin_anew_count_from_0() -> None:
    reference = denials.reference_of([Sample(0, 1000, 1000)])
    assert reference
    assert [each.number for each in denials.since(reference, [Sample(_S, 30, 2)])] == [30, 2]


@pytest.mark.parametrize(
    ("number", "seconds", "before", "jumped"),
    [(20, 10, 0, False), (21, 10, 0, True), (80, 10, 2, False), (81, 10, 2, True), (0, 0, 0, False)],
)
def test_a_jump_is_the_floor_above_so_many_times_what_was_expected(
    number: int, seconds: float, before: float, jumped: bool
) -> None:
    assert Denials("denials", number, seconds, before).have_jumped(3, 20) == jumped

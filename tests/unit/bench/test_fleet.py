"""What is made of the rounds of `make bench-fleet`."""

import pytest

from bench.fleet.contest import BARE, CONTROLLER, Results
from bench.statistics import estimate


def results(controller: list[float], bare: list[float]) -> Results:
    """Rounds of a hundred hosts, each with the same figure but for one host, which took ten times as long."""
    delays = {CONTROLLER: controller, BARE: bare}
    return Results({name: [[each] * 99 + [10 * each] for each in found] for name, found in delays.items()}, 1, [])


def test_a_ratio_is_that_of_medians_over_rounds() -> None:
    found = results([0.2, 0.3, 0.4, 0.5, 9.0], [0.2] * 5)
    assert estimate(found.ratio(50)).value == pytest.approx(2.0)
    assert estimate(found.percentile(CONTROLLER, 100)).value == pytest.approx(4.0)
    assert estimate(found.percentile(BARE, 100)).value == pytest.approx(2.0)


def test_a_rival_that_changes_its_pace_rejects_the_run() -> None:
    assert results([0.2] * 4, [0.2, 0.2, 0.2, 0.2]).disturbances() == []
    [told] = results([0.2] * 4, [0.2, 0.2, 0.3, 0.3]).disturbances()
    assert "+50% in the second half" in told

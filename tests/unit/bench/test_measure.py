from bench.measure import NONE, Results, Visit
from bench.statistics import estimate


def _visits(*costs: tuple[str, int, float]) -> list[Visit]:
    return [Visit(name, number, {"send": [cost]}) for name, number, cost in costs]


def test_the_first_round_is_dropped() -> None:
    results = Results(_visits((NONE, 0, 900.0), ("ours", 0, 9.0), (NONE, 1, 100.0), ("ours", 1, 125.0)))
    assert estimate(results.speed("ours", "send")).value == 0.8
    assert estimate(results.added("ours", "send")).value == 25


def test_both_visits_to_nothing_count() -> None:
    results = Results(_visits((NONE, 1, 100.0), ("ours", 1, 100.0), (NONE, 1, 200.0)))
    assert results.cost(NONE, "send")[0] == 110  # p10 of 100 and 200


def test_a_run_that_drifts_is_rejected_by_name() -> None:
    slow_at_times = [(NONE, 1, 100.0), (NONE, 1, 500.0), (NONE, 2, 102.0), (NONE, 2, 500.0)]
    assert Results(_visits(*slow_at_times)).disturbances() == []
    [said] = Results(_visits((NONE, 1, 100.0), (NONE, 2, 100.0), (NONE, 3, 96.0), (NONE, 4, 96.0))).disturbances()
    assert said.startswith("send: nothing costs -4.0% in the second half")

import numpy as np

from bench.statistics import distribution, estimate, greatest, least, p10


def test_p10_ignores_slow_moments() -> None:
    assert p10([100.0] * 50 + [900.0] * 50) == 100


def test_equal_rounds_leave_no_doubt() -> None:
    found = estimate(distribution([[5.0, 6.0, 7.0]] * 8))
    assert found.low == found.value == found.high == 5


def test_the_interval_holds_the_value_and_widens_with_noise() -> None:
    calm = estimate(distribution([[100.0 + i] for i in range(8)]))
    wild = estimate(distribution([[100.0 + 50 * i] for i in range(8)]))
    assert calm.low <= calm.value <= calm.high
    assert wild.high - wild.low > calm.high - calm.low


def test_noise_that_two_share_cancels_out() -> None:
    rounds = [[100.0], [140.0], [180.0], [250.0]]
    twice = distribution([[2 * value for value in each] for each in rounds]) / distribution(rounds)
    assert np.allclose(twice, 2)


def test_the_best_rival_is_chosen_anew_in_each_resampled_run() -> None:
    one, other = distribution([[10.0], [30.0]]), distribution([[20.0], [20.0]])
    assert (least([one, other]) <= 20).all()
    assert (greatest([one, other]) >= 20).all()


def test_an_estimate_is_shown_with_the_larger_distance() -> None:
    assert estimate(np.array([2.0, 1.0, 1.0, 2.5])).text(1) == "2.0 ±1.0"

"""What is made of the rounds of `make bench-log`, and what is pushed in them."""

import pytest

from bench.log.batches import Chain
from bench.log.contest import BARE, CONTROLLER, FOLLOWED, INGEST, STOPPED, Results
from bench.statistics import estimate
from landfast import batch
from landfast.v1.agent_pb2 import PushRequest


def results(**turns: list[float]) -> Results:
    named = {"ours": CONTROLLER, "bare": BARE, "followed": FOLLOWED, "stopped": STOPPED}
    found = {named[name]: [{INGEST: each} for each in seconds] for name, seconds in turns.items()}
    return Results(found, [], [], [2.0, 4.0, 4.0], 100, 0)


def test_a_rate_is_the_median_over_rounds_and_a_ratio_is_that_of_medians() -> None:
    found = results(ours=[1.0, 2.0, 2.0, 50.0], bare=[8.0] * 4)
    assert estimate(found.rate(CONTROLLER)).value == pytest.approx(80_000)
    assert estimate(found.rate(BARE)).value == pytest.approx(8 * 300 * batch.MAX_RECORDS / 8)
    assert estimate(found.rate(CONTROLLER) / found.rate(BARE)).value == pytest.approx(80_000 / 120_000)
    assert estimate(found.verified_rate()).value == 25


def test_what_a_stopped_auditor_costs_is_compared_round_by_round() -> None:
    found = results(followed=[1.0, 4.0, 1.0], stopped=[2.0, 8.0, 2.0])
    assert estimate(found.lost(STOPPED, FOLLOWED)).value == pytest.approx(0.5)


def test_a_rival_that_changes_its_pace_rejects_the_run() -> None:
    assert results(bare=[1.0, 1.1, 1.0, 1.1]).disturbances() == []
    [told] = results(bare=[1.0, 1.0, 1.3, 1.3]).disturbances()
    assert "+30% in the second half" in told


def test_batches_follow_each_other_and_hold_what_their_records_name() -> None:
    chain, last, previous = Chain("hall"), 0, b""
    for push in (*chain.pushes(3).messages, *chain.pushes(2, events=1).messages):
        data = PushRequest.FromString(push).batch
        view = batch.decode(data)
        batch.check_follows(view, last, previous)
        assert all(view.process(item) for _, item in view)
        last, previous = view.last, batch.digest(data)
    assert last == chain.last == 3 * batch.MAX_RECORDS + 2

from landfast_agent.backoff import Backoff


def test_a_controller_that_was_away_for_seconds_is_found_again_soon() -> None:
    backoff = Backoff()
    delays = [backoff.next() for _ in range(8)]
    assert delays[0] <= 0.2
    assert all(0.1 <= delay <= 0.2 * 1.5**number for number, delay in enumerate(delays))


def test_a_delay_never_grows_beyond_the_last_and_begins_anew_after_a_reset() -> None:
    backoff = Backoff(first=1, last=4)
    assert all(backoff.next() <= 4 for _ in range(50))
    assert 2 <= backoff.next() <= 4
    backoff.reset()
    assert 0.5 <= backoff.next() <= 1

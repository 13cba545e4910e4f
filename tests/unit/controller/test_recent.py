"""Leaves that are kept in memory."""

from landfast_controller import recent
from landfast_controller.recent import RecentLeaves


def _leaves(begin: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(begin, end)]


def test_what_was_added_is_there_and_nothing_else() -> None:
    leaves = RecentLeaves()
    assert leaves.of(0, 3) == []
    leaves.add(105, _leaves(100, 105))
    leaves.add(107, _leaves(105, 107))
    assert leaves.of(101, 106) == _leaves(101, 106)
    assert leaves.of(99, 106) == leaves.of(101, 108) == []


def test_the_oldest_are_forgotten() -> None:
    leaves = RecentLeaves()
    leaves.add(recent._MOST + 10, _leaves(0, recent._MOST + 10))
    assert leaves.of(9, 12) == []
    assert leaves.of(10, 12) == _leaves(10, 12)

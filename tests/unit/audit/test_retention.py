"""What policies of retention permit, and from when on."""

from hypothesis import given
from hypothesis import strategies as st

from landfast import retention
from landfast.retention import NOTICE_S, Policy

_NS = 10**9
_DAY_NS = 24 * 3600 * _NS


def _policies(*told: tuple[float, int | None]) -> list[Policy]:
    """(day of publication, days that entries are kept)."""
    return [
        Policy(index, int(day * _DAY_NS), None if keep is None else keep * 24 * 3600)
        for index, (day, keep) in enumerate(told)
    ]


def _decides(day: float, *told: tuple[float, int | None]) -> int | None:
    permission = retention.permission(_policies(*told), int(day * _DAY_NS))
    return permission.deciding.index if permission else None


def test_without_a_policy_everything_is_kept() -> None:
    assert _decides(1000) is None
    assert _decides(6.9, (0, 30)) is None
    assert _decides(7, (0, 30)) == 0


def test_the_longest_of_the_notice_decides() -> None:
    assert _decides(100, (0, 400), (94, 30)) == 0
    assert _decides(101, (0, 400), (94, 30)) == 1
    assert _decides(100, (0, 30), (99, 400)) == 1
    assert _decides(100, (0, 30), (98, None), (99, 30)) == 1, "for ever is longer than anything"
    assert _decides(106, (0, 30), (98, None), (99, 30)) == 2


@given(
    st.lists(st.tuples(st.integers(0, 60), st.one_of(st.none(), st.integers(0, 50))), max_size=6), st.integers(0, 90)
)
def test_nothing_goes_that_a_policy_of_the_last_days_would_have_kept(
    told: list[tuple[int, int | None]], day: int
) -> None:
    history = [
        policy for policy in _policies(*sorted(told, key=lambda each: each[0])) if policy.published_ns <= day * _DAY_NS
    ]
    permission = retention.permission(history, day * _DAY_NS)
    began = day * _DAY_NS - NOTICE_S * _NS
    standing = [policy for policy in history if policy.published_ns <= began]
    assert (permission is None) == (not standing)
    for received in range(day + 1) if permission else ():
        by_all = all(
            policy.permits(received * _DAY_NS, day * _DAY_NS)
            for policy in [standing[-1], *(each for each in history if each.published_ns > began)]
        )
        assert permission
        assert permission.deciding.permits(received * _DAY_NS, day * _DAY_NS) == by_all

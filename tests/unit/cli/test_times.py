from datetime import timedelta

import pytest

from landfast_cli.errors import BadInputError
from landfast_cli.times import duration, moment, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", timedelta(minutes=90)),
        ("4h", timedelta(hours=4)),
        ("1d12h", timedelta(hours=36)),
        ("2w", timedelta(days=14)),
        ("45s", timedelta(seconds=45)),
    ],
)
def test_durations(text: str, expected: timedelta) -> None:
    assert duration(text) == expected
    assert seconds(text) == expected.total_seconds()


@pytest.mark.parametrize("text", ["", "4", "h", "4 h", "-4h", "4y", "1.5h", "9" * 30 + "d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="duration"):
        duration(text)


def test_moments() -> None:
    assert moment("4h", 1000, 1) == 1000 + 4 * 3600
    assert moment("10m", 1000, -1) == 400
    assert moment("1970-01-01T01:00:00+00:30", 0, 1) == 1800


@pytest.mark.parametrize("text", ["tomorrow", "2027-06-30", "2027-06-30T00:00:00", "2027-13-01T00:00:00Z"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match=r"time .*or a duration such as 4h"):
        moment(text, 0, 1)

"""Expiries in text."""

import pytest

from landfast.policy.errors import InvalidError
from landfast.policy.times import LAST, format_time, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1),
        ("2027-06-30T00:00:00Z", 1_814_313_600),
        ("2027-06-30t00:00:00.000z", 1_814_313_600),
        ("2027-06-30T02:00:00+02:00", 1_814_313_600),
        ("2027-06-29T19:00:00-05:00", 1_814_313_600),
        ("9999-12-31T23:59:59Z", LAST),
    ],
)
def test_times_with_a_zone(text: str, seconds: int) -> None:
    assert parse_time(text) == seconds
    assert parse_time(format_time(seconds)) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "4h",
        "1e3",
        "1814313600",
        "2027-06-30",
        "2027-06-30T00:00",
        "2027-06-30T00:00:00",
        "20270630T000000Z",
        "2027-06-30T24:00:00Z",
        "2027-06-30T23:59:60Z",
        "2027-13-01T00:00:00Z",
        "2027-06-30T00:00:00.1Z",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2027-06-30T00:00:00+99:00",
    ],
)
def test_refused_times(text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_time(text)
    assert "2027-06-30T00:00:00Z" in caught.value.remedy

"""From when to when: what is asked for, and which events are in it."""

import random

import pytest

from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Verdict
from landfast_cli.errors import BadInputError
from landfast_cli.report import page
from landfast_cli.report.period import NS, Period
from tests.unit.audit.stories import Story
from tests.unit.report.month import HOUR_NS, Host, at, denied, enrol, notice, record
from tests.unit.report.reading import OCTOBER, report


def test_days_are_those_of_utc_and_the_end_is_no_part_of_it() -> None:
    assert Period(at("2026-10-01 00:00:00"), at("2026-11-01 00:00:00")) == OCTOBER
    assert (OCTOBER.begin_ns in OCTOBER, OCTOBER.end_ns - 1 in OCTOBER) == (True, True)
    assert (OCTOBER.begin_ns - 1 in OCTOBER, OCTOBER.end_ns in OCTOBER) == (False, False)
    assert Period.parse("2026-10-01T02:00:00+02:00", "2026-11-01T00:00:00Z") == OCTOBER


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-10-01", "2026-10-01"),
        ("2026-11-01", "2026-10-01"),
        ("2026-02-30", "2026-10-01"),
        ("2026-10-01T00:00:00", "2026-11-01"),
        ("october", "2026-11-01"),
    ],
)
def test_what_is_no_period_is_refused(begin: str, end: str) -> None:
    with pytest.raises(BadInputError):
        Period.parse(begin, end)


@pytest.mark.parametrize(
    ("begin", "end", "title"),
    [
        ("2026-10-01", "2026-11-01", "October 2026"),
        ("2026-12-01", "2027-01-01", "December 2026"),
        ("2028-02-01", "2028-03-01", "February 2028"),
        ("2026-10-01", "2026-10-02", "2026-10-01"),
        ("2026-10-01", "2026-12-01", "2026-10-01 to 2026-11-30"),
        ("2026-10-01T06:00:00Z", "2026-10-01T07:00:00Z", "2026-10-01 06:00:00 to 2026-10-01 07:00:00"),
    ],
)
def test_how_a_period_is_called(begin: str, end: str, title: str) -> None:
    first, last = Period.parse(begin, end).texts
    assert page.span({"from": first, "to": last}) == title


def _stored_late(*times_ns: int) -> list[bytes]:
    """A log in which one batch holds decisions of all these times, stored in November."""
    story, host = Story(at("2026-11-03 00:00:00")), Host("hall-1")
    enrol(story, "hall-1")
    return story.batch(host.batch([record(time_ns) for time_ns in times_ns])).entries


def test_the_first_moment_is_in_the_period_and_the_last_is_not() -> None:
    begin, end = OCTOBER.begin_ns, OCTOBER.end_ns
    found = report(_stored_late(begin - 1, begin, begin + 1, end - 1, end))
    assert found["decisions"]["ALLOW"] == 3
    assert [row["count"] for row in found["flows"]["rows"]] == [3]
    assert (found["flows"]["rows"][0]["first"], found["hosts"][0]["last"]) == (
        "2026-10-01T00:00:00Z",
        "2026-10-31T23:59:59Z",
    )
    assert (found["log"]["first"], found["log"]["last"]) == (1, 1)


def test_a_clock_that_is_ahead_moves_nothing_out_of_the_period() -> None:
    story, host = Story(at("2026-10-30 12:00:00")), Host("hall-1")
    enrol(story, "hall-1")
    future = at("2031-01-01 00:00:00")
    later = notice(future, NoticeKind.NOTICE_KIND_CANARY_FAILED, "the canary got through")
    story.batch(host.batch([denied(future), denied(at("2026-10-30 11:00:00"))], [later]))
    found = report(story.entries)
    assert (found["decisions"]["DENY"], found["left_out"]["dated_ahead"]) == (2, 2)
    assert [row["kind"] for row in found["notices"]["rows"]] == ["CANARY_FAILED"]
    assert found["hosts"][0]["last"] == "2026-10-30T12:00:01Z"


def test_periods_side_by_side_count_everything_once() -> None:
    dice = random.Random(20261128)
    story, host = Story(at("2026-10-01 00:00:00")), Host("hall-1")
    enrol(story, "hall-1")
    for _ in range(40):
        story.now_ns += dice.randrange(24 * HOUR_NS)
        times = [story.now_ns - dice.randrange(5 * 24 * HOUR_NS) for _ in range(23)]
        story.batch(host.batch([dice.choice((record, denied))(time_ns) for time_ns in times]))
    middle = dice.randrange(OCTOBER.begin_ns // NS, OCTOBER.end_ns // NS) * NS
    whole = Period(0, story.now_ns)
    parts = [report(story.entries, Period(0, middle)), report(story.entries, Period(middle, story.now_ns))]
    found = report(story.entries, whole)
    for verdict in (Verdict.ALLOW.name, Verdict.DENY.name):
        assert sum(part["decisions"][verdict] for part in parts) == found["decisions"][verdict]
    assert sum(part["hosts"][0]["events"] for part in parts) == found["hosts"][0]["events"] == 40 * 23
    assert sum(found["decisions"].values()) == 40 * 23


def test_a_period_that_the_log_does_not_reach_is_not_over() -> None:
    story = Story(at("2026-10-30 12:00:00"))
    enrol(story, "hall-1")
    assert report(story.entries)["log"]["ended"] is False
    story.now_ns = at("2026-11-01 00:00:00")
    enrol(story, "hall-2")
    assert report(story.entries)["log"]["ended"] is True

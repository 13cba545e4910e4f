"""Which hosts were heard of, when not, and what of their events is missing."""

from collections.abc import Iterable
from typing import Any

from landfast.v1.batch_pb2 import Folded, NoticeKind
from tests.unit.audit.stories import Story
from tests.unit.report.month import HOUR_NS, Host, act, at, enrol, notice, record
from tests.unit.report.reading import report


class Fleet:
    """Hosts that are enrolled at the end of September, and report when they are told to."""

    def __init__(self, *names: str) -> None:
        self.story = Story(at("2026-09-30 12:00:00"))
        self.hosts = {name: Host(name) for name in names}
        for name in names:
            enrol(self.story, name)

    def reports(self, name: str, when: str, *, stored: str = "", **fields: Any) -> "Fleet":
        self.story.now_ns = max(self.story.now_ns, at(stored or when))
        self.story.batch(self.hosts[name].batch([record(at(when))], **fields))
        return self

    def every_hour(self, name: str, begin: str, end: str) -> "Fleet":
        for time_ns in range(at(begin), at(end), HOUR_NS):
            self.story.now_ns = max(self.story.now_ns, time_ns)
            self.story.batch(self.hosts[name].batch([record(time_ns)]))
        return self

    def host(self, name: str, roster: Iterable[str] | None = None) -> dict[str, Any]:
        found = report(self.story.entries, roster=None if roster is None else list(roster), silent_after_s=2 * 3600)
        (row,) = [row for row in found["hosts"] if row["name"] == name]
        return row


def _silences(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["from"], each["to"]) for each in row["silences"]["rows"]]


def test_a_host_that_reports_all_the_time_has_no_silence() -> None:
    fleet = Fleet("hall-1").every_hour("hall-1", "2026-09-30 13:00:00", "2026-11-01 03:00:00")
    row = fleet.host("hall-1")
    assert (row["silent_seconds"], row["events"], row["policy"]) == (0, 31 * 24, "")
    assert (row["first"], row["last"]) == ("2026-10-01T00:00:00Z", "2026-10-31T23:00:00Z")


def test_silence_is_told_with_its_ends_and_only_what_lies_in_the_period() -> None:
    fleet = Fleet("hall-1").reports("hall-1", "2026-09-30 20:00:00").reports("hall-1", "2026-10-01 05:00:00")
    fleet.reports("hall-1", "2026-10-01 07:00:00").reports("hall-1", "2026-11-02 00:00:00")
    row = fleet.host("hall-1")
    assert _silences(row) == [
        ("2026-10-01T00:00:00Z", "2026-10-01T05:00:00Z"),
        ("2026-10-01T07:00:00Z", "2026-11-01T00:00:00Z"),
    ]
    assert row["silent_seconds"] == 5 * 3600 + (31 * 24 - 7) * 3600


def test_what_was_delivered_late_is_no_silence() -> None:
    """The controller was away for a day; the host was not."""
    fleet = Fleet("hall-1").every_hour("hall-1", "2026-09-30 13:00:00", "2026-10-10 00:00:00")
    for hour in range(24):
        fleet.reports("hall-1", f"2026-10-10 {hour:02}:00:00", stored="2026-10-11 00:00:00")
    fleet.every_hour("hall-1", "2026-10-11 01:00:00", "2026-11-01 01:00:00")
    assert _silences(fleet.host("hall-1")) == []


def test_a_host_is_silent_from_its_enrolment_on_when_it_never_reports() -> None:
    fleet = Fleet("hall-1", "hall-2").every_hour("hall-1", "2026-09-30 13:00:00", "2026-11-01 01:00:00")
    row = fleet.host("hall-2")
    assert (row["first"], row["events"], row["enrolled"]) == (None, 0, "2026-09-30T12:00:01Z")
    assert _silences(row) == [("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")]


def test_a_host_of_the_roster_that_the_log_does_not_know() -> None:
    fleet = Fleet("hall-1").every_hour("hall-1", "2026-09-30 13:00:00", "2026-10-02 00:00:00")
    assert (fleet.host("hall-9", ["hall-9"])["first"], fleet.host("hall-9", ["hall-9"])["enrolled"]) == (None, None)
    rosters = (["hall-9"], ["hall-1"], None)
    assert [fleet.host("hall-1", roster)["expected"] for roster in rosters] == [False, True, True]


def test_a_host_that_joins_after_the_period_is_not_in_it() -> None:
    fleet = Fleet("hall-1").reports("hall-1", "2026-10-02 00:00:00")
    fleet.story.now_ns = at("2026-11-05 00:00:00")
    enrol(fleet.story, "hall-2")
    fleet.hosts["hall-2"] = Host("hall-2")
    fleet.reports("hall-2", "2026-11-05 01:00:00")
    assert [row["name"] for row in report(fleet.story.entries)["hosts"]] == ["hall-1"]


def test_losses_and_folded_events_count_in_their_period() -> None:
    fleet = Fleet("hall-1")
    for when in ("2026-09-30 23:00:00", "2026-10-07 10:00:00", "2026-11-02 00:00:00"):
        lost = notice(at(when), NoticeKind.NOTICE_KIND_LOST, "lost", CONNECT="17", NOTICES="2")
        folded = Folded(allowed=100, other=7, offsets=[0, 1])
        fleet.reports("hall-1", when, notices=[lost], folded=folded)
    found = report(fleet.story.entries)
    (row,) = found["hosts"]
    assert (row["lost"], row["folded"], row["events"], row["findings"]) == (19, 107, 2, {"lost": 1})
    told = [each for each in found["completeness"]["findings"] if each["kind"] == "lost"]
    assert [each["in_period"] for each in told] == [False, True, False]


def test_bans_and_what_hosts_have_proved_are_as_at_the_end_of_the_period() -> None:
    fleet = Fleet("hall-1", "hall-2").reports("hall-1", "2026-10-02 00:00:00").reports("hall-2", "2026-10-02 00:00:00")
    act(fleet.story, "POLICY_APPLIED", "hall-1", version="7")
    act(fleet.story, "HOST_BANNED", "hall-2", reason="out of the rack")
    fleet.story.now_ns = at("2026-11-02 00:00:00")
    act(fleet.story, "POLICY_APPLIED", "hall-1", version="8")
    act(fleet.story, "HOST_UNBANNED", "hall-2", reason="back")
    assert (fleet.host("hall-1")["policy"], fleet.host("hall-2")["state"]) == ("7", "banned")


def test_a_gap_is_a_finding_about_its_host() -> None:
    fleet = Fleet("hall-1").reports("hall-1", "2026-10-02 00:00:00")
    fleet.hosts["hall-1"].next += 5
    fleet.reports("hall-1", "2026-10-02 01:00:00")
    assert fleet.host("hall-1")["findings"] == {"gap": 1}

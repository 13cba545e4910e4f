"""Lives in the log: changes of policy with their approvers, incidents, emergencies, as at the end of the period."""

from typing import Any

from landfast.v1.batch_pb2 import NoticeKind
from tests.unit.audit.stories import Story
from tests.unit.report.month import ALICE, BOB, Host, act, at, enrol, notice
from tests.unit.report.reading import report

CAROL = BOB.replace("bob", "carol")


def _story(when: str) -> Story:
    story = Story(at(when))
    enrol(story, "hall-1")
    return story


def _propose(story: Story, number: str, when: str, **fields: str) -> None:
    story.now_ns = at(when)
    usual = {"version": "4", "reason": "failover", "ticket": "NET-1", "digest": "ab", "widenings": "0"}
    act(story, "CHANGE_PROPOSED", number, ALICE, f"change {number}", **(usual | fields))


def _accept(story: Story, number: str, version: str, when: str, **fields: str) -> None:
    story.now_ns = at(when)
    usual = {"change": number, "approvers": "bob,carol", "reason": "failover", "stages": "all"}
    act(story, "POLICY_VERSION", version, ALICE, f"policy {version}", **(usual | fields))


def _steps(life: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["what"], step["who"]) for step in life["steps"]]


def test_a_change_from_its_proposal_to_the_hosts_that_run_it() -> None:
    story = _story("2026-09-20 00:00:00")
    wider = {
        "widenings": "3",
        "widening_1": "eu allow: 192.0.2.0/25 tcp/443",
        "widening_2": "eu serve: 192.0.2.9",
    }
    _propose(story, "7", "2026-09-29 10:00:00", **wider)
    act(story, "CHANGE_APPROVED", "7", BOB)
    story.now_ns = at("2026-10-02 00:00:00")
    act(story, "CHANGE_APPROVED", "7", CAROL)
    _accept(story, "7", "4", "2026-10-02 00:00:01")
    act(story, "POLICY_APPLIED", "hall-1", version="4")
    act(story, "ROLLOUT_DONE", "4", text="rollout of policy 4 is done")
    found = report(story.entries)
    (life,) = found["changes"]["rows"]
    assert _steps(life) == [
        ("proposed", "operator/alice"),
        ("approved", "approver/bob"),
        ("approved", "approver/carol"),
        ("accepted", "operator/alice"),
        ("rollout of policy 4 is done", "controller"),
    ]
    assert (life["outcome"], life["texts"]["approvers"], life["texts"]["ticket"]) == ("accepted", "bob,carol", "NET-1")
    assert (life["texts"]["widenings"], life["notes"]) == ("3", [wider["widening_1"], wider["widening_2"]])
    assert found["proved"] == {"4": 1}


def test_what_ended_before_the_period_or_began_after_it_is_not_told() -> None:
    story = _story("2026-09-01 00:00:00")
    _propose(story, "1", "2026-09-02 00:00:00")
    _accept(story, "1", "1", "2026-09-03 00:00:00")
    _propose(story, "2", "2026-09-04 00:00:00", expires="2026-09-11T00:00:00Z")
    _propose(story, "3", "2026-10-30 00:00:00", expires="2026-11-06T00:00:00Z")
    _accept(story, "3", "2", "2026-11-01 00:00:00")
    _propose(story, "4", "2026-11-02 00:00:00")
    found = report(story.entries)["changes"]["rows"]
    assert [(life["number"], life["outcome"]) for life in found] == [("3", "open")]


def test_how_changes_end() -> None:
    story = _story("2026-10-01 00:00:00")
    _propose(story, "1", "2026-10-02 00:00:00")
    act(story, "CHANGE_CLOSED", "1", BOB, "change 1 rejected: too wide", reason="too wide")
    _propose(story, "2", "2026-10-03 00:00:00", expires="2026-10-10T00:00:00Z")
    _propose(story, "3", "2026-10-04 00:00:00")
    assert [life["outcome"] for life in report(story.entries)["changes"]["rows"]] == [
        "change 1 rejected: too wide",
        "expired 2026-10-10T00:00:00Z",
        "open",
    ]
    _accept(story, "3", "4", "2026-10-05 00:00:00")
    assert [life["outcome"] for life in report(story.entries)["changes"]["rows"]] == [
        "change 1 rejected: too wide",
        "overtaken by policy 4",
        "accepted",
    ]


def test_an_incident_is_told_with_its_life() -> None:
    story = _story("2026-09-29 00:00:00")
    act(story, "INCIDENT_OPENED", "3", rule="denials", about="203.0.113.9:443/tcp", what="curl", count="50", index="9")
    story.now_ns = at("2026-10-02 00:00:00")
    act(story, "INCIDENT_ACKNOWLEDGED", "3", BOB, count="80", what="curl again")
    (life,) = report(story.entries)["incidents"]["rows"]
    assert (life["outcome"], life["ended"], life["texts"]["count"]) == ("acknowledged", False, "80")
    act(story, "INCIDENT_CLOSED", "3", BOB, reason="an old image", count="91", what="curl again")
    (life,) = report(story.entries)["incidents"]["rows"]
    assert (life["outcome"], life["ended"], life["texts"]["reason"]) == ("closed", True, "an old image")
    assert (life["texts"]["count"], life["texts"]["what"], life["texts"]["rule"]) == ("91", "curl again", "denials")
    assert _steps(life) == [("opened", "controller"), ("acknowledged", "approver/bob"), ("closed", "approver/bob")]


def test_incidents_that_go_on_are_told_and_those_that_were_closed_before_are_not() -> None:
    story = _story("2026-09-01 00:00:00")
    for number in ("1", "2"):
        act(story, "INCIDENT_OPENED", number, rule="tamper", about="hall-1", what="link gone", count="1")
    act(story, "INCIDENT_CLOSED", "1", BOB, reason="done")
    story.now_ns = at("2026-11-01 00:00:00")
    act(story, "INCIDENT_CLOSED", "2", BOB, reason="done")
    found = report(story.entries)["incidents"]["rows"]
    assert [(life["number"], life["outcome"]) for life in found] == [("2", "open")]


def test_an_emergency_goes_on_until_others_have_reviewed_it() -> None:
    story = _story("2026-09-29 00:00:00")
    act(story, "POLICY_VERSION", "5", ALICE, change="8", approvers="")
    why = {"by": "alice", "reason": "link down", "ticket": "INC-7", "until": "2026-09-29T04:00:00Z"}
    act(story, "BREAK_GLASS", "5", ALICE, rules="eu allow 192.0.2.0/25 tcp/443", **why)
    (life,) = report(story.entries)["emergencies"]["rows"]
    assert (life["outcome"], life["ended"], life["texts"]["by"]) == ("not reviewed", False, "alice")
    _accept(story, "9", "6", "2026-10-02 00:00:00", reviews="alice")
    (life,) = report(story.entries)["emergencies"]["rows"]
    assert (life["outcome"], life["ended"]) == ("reviewed with policy 6", True)


def test_every_other_action_is_told_also_one_of_a_kind_that_nobody_knows_yet() -> None:
    story = _story("2026-10-01 00:00:00")
    act(story, "HOST_BANNED", "hall-1", BOB, "host hall-1 banned: gone")
    act(story, "IDENTITY_REVOKED", "dora", BOB, "operator dora")
    act(story, "MAPS_ALTERED", "hall-1", text="hall-1 maps altered")
    act(story, "HOST_RENEWED", "hall-1")
    story.control(999, "the log", text="something new", actor=BOB)  # type: ignore[arg-type]
    found = report(story.entries)
    kinds = {name: [row["kind"] for row in table["rows"]] for name, table in found["actions"].items()}
    assert kinds == {
        "hosts": ["HOST_ENROLLED", "HOST_BANNED"],
        "people": ["IDENTITY_REVOKED"],
        "trouble": ["MAPS_ALTERED"],
        "other": ["999"],
    }
    assert found["counted_actions"] == {"HOST_RENEWED": 1}


def test_what_agents_told_with_trouble_first() -> None:
    story, host = _story("2026-10-01 00:00:00"), Host("hall-1")
    noon = at("2026-10-01 12:00:00")
    started, altered = NoticeKind.NOTICE_KIND_AGENT_STARTED, NoticeKind.NOTICE_KIND_HOOKS_ALTERED
    kinds = (started, altered, altered, NoticeKind.NOTICE_KIND_HEARTBEAT)
    story.now_ns = at("2026-10-01 12:00:03")
    story.batch(host.batch(notices=[notice(noon + n, kind, f"number {n}") for n, kind in enumerate(kinds)]))
    rows = report(story.entries)["notices"]["rows"]
    assert [(row["kind"], row["host"], row["count"], row["newest"]) for row in rows] == [
        ("HOOKS_ALTERED", "hall-1", 2, "number 2"),
        ("AGENT_STARTED", "", 1, "number 0"),
        ("HEARTBEAT", "", 1, "number 3"),
    ]

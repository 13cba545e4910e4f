"""What was allowed and what was denied, held against a count of the events one by one."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from landfast import batch, event, render
from landfast.event import Event
from landfast.verdict import Reason, Stage, Verdict
from landfast_cli.report.bounds import Groups, Kept, Sum
from tests.unit.audit.stories import Story
from tests.unit.report.month import NS, Host, at, denied, enrol, flow, record
from tests.unit.report.reading import report

_NOON = at("2026-10-09 12:00:00")

_OUTCOMES = (
    (Verdict.ALLOW, Reason.RULE),
    (Verdict.ALLOW, Reason.SERVE),
    (Verdict.DENY, Reason.NO_RULE),
    (Verdict.WOULD_DENY, Reason.EXPIRED),
)


@st.composite
def _records(draw: st.DrawFn) -> bytes:
    verdict, reason = draw(st.sampled_from(_OUTCOMES))
    return record(
        _NOON - draw(st.integers(0, 3 * 86_400)) * 10**9,
        draw(st.sampled_from(["10.20.3.7", "203.0.113.9", "2001:db8::1"])),
        verdict=verdict,
        reason=reason,
        stage=draw(st.sampled_from([Stage.CONNECT, Stage.EGRESS])),
        tags=draw(st.sampled_from([1, 2, 3])),
        flags=draw(st.sampled_from([0, event.SERVING, event.LOCAL])),
        remote_port=draw(st.sampled_from([443, 8443])),
        local_port=draw(st.sampled_from([9000, 9001])),
        tgid=draw(st.sampled_from([4711, 4712])),
        rule=draw(st.sampled_from([0, 1])),
        cookie=draw(st.integers(0, 2**64 - 1)),
        tid=draw(st.integers(0, 2**32 - 1)),
    )


def _told(verdict: str, row: dict[str, Any]) -> tuple[Any, ...]:
    return verdict, tuple(row["classes"]), row["destination"], row["direction"], row.get("rule", row.get("reason"))


def _one_by_one(data: bytes) -> Counter[tuple[Any, ...]]:
    view, found = batch.decode(data), Counter[tuple[Any, ...]]()
    for _, item in view:
        assert isinstance(item, Event)
        direction = "own host" if item.local else "out"
        where = render.endpoint(item)
        if item.serving:
            direction, where = f"answers at port {item.local_port}", f"{item.remote}/tcp"
        why = Reason(item.reason).name
        if item.verdict == Verdict.ALLOW:
            why = view.rule(item) or {"RULE": "RULE (more than one allows it)"}.get(why, why)
        found[Verdict(item.verdict).name, tuple(view.classes(item.tags)), where, direction, why] += 1
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(_records(), min_size=1, max_size=60))
def test_groups_are_what_counting_one_by_one_gives(records: list[bytes]) -> None:
    story = Story(at("2026-10-20 00:00:00"))
    enrol(story, "hall-1")
    data = Host("hall-1").batch(records)
    found = report(story.batch(data).entries)
    told: Counter[tuple[Any, ...]] = Counter()
    for verdict, table in (("ALLOW", "flows"), ("DENY", "denials"), ("WOULD_DENY", "would_deny")):
        for row in found[table]["rows"]:
            told[_told(verdict, row)] += row["count"]
        assert sum(day.get(verdict, 0) for day in found["days"]) == found["decisions"][verdict]
    assert told == _one_by_one(data)


def _month(*records: bytes) -> dict[str, Any]:
    story = Story(at("2026-10-20 00:00:00"))
    enrol(story, "hall-1")
    return report(story.batch(Host("hall-1").batch(records)).entries)


def test_canaries_are_no_denials_and_are_counted() -> None:
    found = _month(*[denied(_NOON, tgid=4713)] * 7, *[denied(_NOON)] * 23)
    assert (found["decisions"]["DENY"], found["hosts"][0]["canaries"], found["left_out"]["canary"]) == (23, 7, 7)


def test_a_refused_call_is_a_denial_with_what_was_asked_for() -> None:
    raw = {"stage": Stage.CREATE, "family": 17, "type": 3, "protocol": 3, "reason": Reason.FORBIDDEN_FAMILY, "tags": 1}
    found = _month(event.pack(time_ns=_NOON, verdict=Verdict.DENY, tgid=4712, image=77, **raw))
    (row,) = found["denials"]["rows"]
    assert (row["destination"], row["process"]) == ("socket(AF_PACKET, SOCK_RAW, 3)", "/usr/bin/curl")


def test_executions_are_left_out_and_counted() -> None:
    found = _month(event.pack(time_ns=_NOON, stage=Stage.TASK, reason=Reason.EXEC, tags=1, tgid=4711, image=77))
    assert (sum(found["decisions"].values()), found["left_out"]["not_judged"]) == (0, 1)


def test_records_of_a_stage_that_nobody_knows_yet_are_counted_apart() -> None:
    found = _month(*[record(_NOON, stage=99)] * 3, record(_NOON))
    assert (found["decisions"]["ALLOW"], found["left_out"]["unknown"]) == (1, 3)


def test_a_class_counts_for_each_that_a_process_carries() -> None:
    found = _month(*[record(_NOON, tags=3)] * 5, denied(_NOON, tags=2), flow(_NOON, 2048, 17, tags=2))
    assert found["classes"]["rows"] == [
        {"class": "eea-user-data", "ALLOW": 5, "DENY": 0, "WOULD_DENY": 0, "bytes_out": 0, "bytes_in": 0},
        {"class": "payments", "ALLOW": 5, "DENY": 1, "WOULD_DENY": 0, "bytes_out": 2048, "bytes_in": 17},
    ]


def test_what_flows_come_to_stands_with_the_decisions_that_let_them_pass() -> None:
    several = {"remote": bytes(16), "remote_port": 0}
    found = _month(
        *[record(_NOON, cookie=number) for number in range(3)],
        flow(_NOON, 2048, 17, cookie=1),
        flow(_NOON + 60 * NS, 1 << 40, 1, cookie=2, detail=2, ifindex=9),
        flow(_NOON, 5, 7, **several),
        flow(_NOON, 11, 13, verdict=Verdict.WOULD_DENY, reason=Reason.NO_RULE, rule=0),
    )
    rows = [(row["destination"], row["count"], row["bytes_out"], row["bytes_in"]) for row in found["flows"]["rows"]]
    assert rows == [("10.20.3.7:443/tcp", 3, 2048 + (1 << 40), 18), ("several/tcp", 0, 5, 7)]
    (would,) = found["would_deny"]["rows"]
    assert (would["count"], would["bytes_out"]) == (0, 11)
    assert (sum(found["decisions"].values()), found["left_out"]["not_judged"]) == (3, 0)


def test_hosts_of_a_destination_are_counted() -> None:
    story = Story(at("2026-10-20 00:00:00"))
    for name in ("hall-1", "hall-2", "hall-3"):
        enrol(story, name)
        story.batch(Host(name).batch([record(_NOON), record(_NOON)]))
    (row,) = report(story.entries)["flows"]["rows"]
    assert (row["count"], row["hosts"]) == (6, 3)


def test_what_is_beyond_a_bound_is_counted() -> None:
    groups: Groups[int] = Groups(2)
    for key in (1, 2, 3, 1, 4):
        groups.add(key, Sum(key, key, 10))
    assert ({key: of.count for key, of in groups.sums.items()}, groups.beyond) == ({1: 20, 2: 10}, 20)
    kept: Kept[str] = Kept(2)
    for name in "abc":
        kept.add(name)
    assert (kept.things, kept.beyond) == (["a", "b"], 1)

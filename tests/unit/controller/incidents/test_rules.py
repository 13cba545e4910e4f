"""What of the log becomes an incident, and when denials are many."""

from ipaddress import IPv6Address

import pytest

from landfast import batch as batches
from landfast.tlog.bundle import Kind
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import NoticeKind, Process
from landfast.verdict import Reason, Stage, Verdict
from landfast_controller.incidents.rules import Finding, findings
from landfast_controller.incidents.tally import Tally
from landfast_controller.incidents.webhook import check_webhook
from landfast_controller.pages import Entry
from tests.unit.recording.builders import batch, notice, record

DENIED = {"verdict": Verdict.DENY, "reason": Reason.NO_RULE, "rule": 0}


def found(*records, notices=(), **fields) -> list[Finding]:
    return list(findings(Entry(41, 5, Kind.BATCH, batches.encode(batch(records, notices, **fields)))))


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("CANARY_FAILED", "canary"),
        ("MAPS_ALTERED", "tamper"),
        ("HOOKS_ALTERED", "tamper"),
        ("TAGS_ALTERED", "tamper"),
        ("STALE_POLICY", "stale-policy"),
        ("LOST", "loss"),
        ("FOLDED", "loss"),
    ],
)
def test_notices(kind: str, rule: str) -> None:
    told = notice("seven\n", NoticeKind.Value(f"NOTICE_KIND_{kind}"))
    assert found(notices=[told]) == [Finding(rule, "hall-1", f"{kind}: seven\\n", 41)]


def test_what_is_no_incident() -> None:
    would = record(verdict=Verdict.WOULD_DENY, rule=0)
    canary = record(**DENIED, tgid=9)
    call = record(**DENIED, stage=Stage.SYSCALL, detail=101, remote=bytes(16))
    known = [Process(tgid=9, image=77, canary=True)]
    assert found(record(), would, canary, call, notices=[notice()], processes=known) == []


def test_denials_by_destination() -> None:
    elsewhere = IPv6Address("2001:db8::9").packed
    records = [record(**DENIED)] * 23 + [record(**DENIED, remote=elsewhere)] * 7 + [record(**DENIED, remote_port=0)]
    counts = {each.subject: each.count for each in found(*records)}
    assert counts == {"203.0.113.9:443/tcp": 23, "[2001:db8::9]:443/tcp": 7, "203.0.113.9/tcp": 1}


def test_break_glass() -> None:
    control = ControlAction(kind=ControlAction.KIND_BREAK_GLASS, subject="9", text="for an hour")
    (finding,) = findings(Entry(7, 5, Kind.CONTROL, control.SerializeToString()))
    assert finding == Finding("break-glass", "policy 9", "for an hour", 7)
    control.kind = ControlAction.KIND_INCIDENT_OPENED
    assert list(findings(Entry(7, 5, Kind.CONTROL, control.SerializeToString()))) == []


def test_a_tally_tells_all_when_the_limit_is_reached_and_each_one_after() -> None:
    tally = Tally(limit=10, window_ns=100)
    assert [tally.add("a", count, 150) for count in (4, 5, 1, 3)] == [0, 0, 10, 3]
    assert tally.add("b", 9, 199) == 0
    tally.clear()
    assert tally.add("b", 9, 199) == 0, "read again"
    assert tally.add("a", 9, 200) == 0, "a window of its own"


def test_a_tally_has_a_bound() -> None:
    tally = Tally(limit=1, window_ns=100)
    assert sum(tally.add(str(number), 1, 0) for number in range(10_100)) == 10_000


@pytest.mark.parametrize("url", ["http://pager.example.net/", "ftp://127.0.0.1/", "https:///path", "pager"])
def test_a_webhook_that_would_tell_others(url: str) -> None:
    with pytest.raises(ValueError, match="use https://HOST/PATH"):
        check_webhook(url)


@pytest.mark.parametrize("url", ["", "https://pager.example.net/hook", "http://127.0.0.1:8080/", "http://[::1]/x"])
def test_a_webhook_that_is_fit(url: str) -> None:
    check_webhook(url)

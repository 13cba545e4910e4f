from collections import Counter
from ipaddress import IPv4Address, IPv6Address

import pytest

from landfast import batch as batches
from landfast.flows import Flow, Fold, Omission, Omitted, Peer, sightings
from landfast.policy.numbering import RuleKind
from landfast.v1.batch_pb2 import Folded, Listener, Process
from landfast.verdict import Reason, Stage, Verdict
from tests.unit.learning.sights import sighting
from tests.unit.recording.builders import batch, flow, notice, record

DENIED = {"verdict": Verdict.DENY, "reason": Reason.NO_RULE, "rule": 0, "missing": 1}
UNTAGGED = {**DENIED, "reason": Reason.UNTAGGED_PEER, "flags": 1, "remote": IPv6Address("::ffff:127.0.0.1").packed}
UNIX = {**UNTAGGED, "stage": Stage.UNIX, "protocol": 0, "remote_port": 0, "family": 1, "detail": 5, "flags": 1}


def seen(*records, **fields):
    omitted = Omitted()
    found = list(sightings(batches.decode(batches.encode(batch(records, **fields))), omitted))
    return found, omitted


def one(record, **fields):
    ((found,), omitted) = seen(record, **fields)
    assert not omitted
    return found


def test_a_flow_is_named_by_what_the_record_says():
    found = one(record(**DENIED))
    assert found.flow == Flow(
        ("eea-user-data",),
        RuleKind.ALLOW,
        IPv4Address("203.0.113.9"),
        6,
        443,
        "",
        "hall-1",
        "curl",
        "/usr/bin/curl",
        "",
    )
    assert (found.verdict, found.reason, found.local) == (Verdict.DENY, Reason.NO_RULE, False)
    assert found.time_ns == 1_700_000_001_000_000_000


@pytest.mark.parametrize(
    ("fields", "kind", "port", "local"),
    [
        ({"stage": Stage.EGRESS}, RuleKind.ALLOW, 443, False),
        ({"stage": Stage.DEVICE, **DENIED}, RuleKind.ALLOW, 443, False),
        ({"flags": 2, "local_port": 8443, "reason": Reason.SERVE}, RuleKind.SERVE, 8443, False),
        ({"flags": 3, "local_port": 8443, "reason": Reason.SERVE}, RuleKind.SERVE, 8443, True),
        (UNTAGGED, RuleKind.PEERS, 443, True),
        (UNIX, RuleKind.PEERS, 0, True),
    ],
)
def test_the_flags_tell_who_called_whom(fields, kind, port, local):
    found = one(record(**fields), unix_names={5: "/run/docker.sock"})
    assert (found.flow.kind, found.flow.port, found.local) == (kind, port, local)
    assert found.flow.unix_name == ("/run/docker.sock" if fields is UNIX else "")


def test_threads_of_one_process_are_one_flow():
    found, _ = seen(record(comm=b"worker-1"), record(comm=b"worker-2"))
    assert found[0].flow == found[1].flow


def test_names_cannot_move_the_cursor_and_a_class_without_one_has_its_bit():
    process = Process(tgid=4711, image=77, comm="c\x1b[2J", executable="/a\n", unit="u\r")
    found = one(record(tags=1 << 9), processes=[process])
    assert found.flow[0] == ("#9",)
    assert found.flow[-3:] == ("c\\x1b[2J", "/a\\n", "u\\r")


LISTENER = {"sender": 4711, "remote": UNTAGGED["remote"], "port": 443, "protocol": 6}


@pytest.mark.parametrize(
    ("fields", "listeners", "peer"),
    [
        ({}, [], Peer.LACKS),
        ({"verdict": Verdict.ALLOW, "reason": Reason.SAME_CLASS, "flags": 1}, [], Peer.CARRIES),
        ({"verdict": Verdict.ALLOW, "reason": Reason.LOOPBACK, "flags": 1}, [], Peer.UNKNOWN),
        ({"verdict": Verdict.ALLOW, "reason": Reason.PEER, "flags": 1, "protocol": 1}, [], Peer.LACKS),
        ({**UNTAGGED, "reason": Reason.UNKNOWN_CLASS}, [], Peer.UNKNOWN),
        (UNTAGGED, [], Peer.LACKS),
        (UNTAGGED, [Listener(**LISTENER, present=True, tags=1)], Peer.CARRIES),
        (UNTAGGED, [Listener(**LISTENER, present=True, tags=2)], Peer.LACKS),
        (UNTAGGED, [Listener(**LISTENER, present=False, tags=1)], Peer.LACKS),
    ],
)
def test_what_is_known_of_the_receiver(fields, listeners, peer):
    assert one(record(**fields), listeners=listeners).peer == peer


def test_what_no_allowlist_judges_is_left_out_and_counted():
    canary = Process(tgid=1, image=1, canary=True)
    others = [
        record(stage=Stage.TASK, verdict=0, reason=Reason.EXEC),
        record(**DENIED | {"stage": Stage.CREATE, "reason": Reason.RAW_SOCKET}),
        record(**DENIED | {"stage": Stage.SYSCALL, "reason": Reason.FORBIDDEN_CALL}),
        record(**DENIED | {"stage": Stage.EGRESS, "reason": Reason.FOREIGN_NAMESPACE}),
        record(**DENIED | {"stage": Stage.EGRESS, "reason": Reason.MALFORMED}),
        record(stage=99),
        record(reason=99),
        record(verdict=99),
        record(stage=Stage.DEVICE, remote=bytes(16)),
    ]
    agent = record(stage=Stage.UNIX, reason=Reason.PEER, rule=0, remote=bytes(16))
    found, omitted = seen(
        *others, flow(2048, 17), agent, record(tgid=1, image=1), record(), notices=[notice()], processes=[canary]
    )
    assert len(found) == 1
    assert omitted == {Omission.NOT_JUDGED: len(others), Omission.AGENT: 1, Omission.CANARY: 1}


def test_what_a_full_spool_could_not_keep_is_counted():
    found, omitted = seen(record(), folded=Folded(allowed=4, other=3, offsets=[2]))
    assert (len(found), omitted) == (1, {Omission.FOLDED: 7})


def test_a_fold_sums_up_and_is_bounded():
    fold: Fold[str] = Fold(2)
    for key, verdict, at in [("a", 1, 5), ("b", 2, 6), ("a", 3, 3), ("c", 1, 9), ("a", 1, 4)]:
        fold.add(key, sighting(verdict=Verdict(verdict), seconds=at))
    assert fold.beyond == 1
    assert list(fold.summaries) == ["a", "b"]
    summary = fold.summaries["a"]
    assert (summary.first_ns, summary.last_ns, summary.count) == (3 * 10**9, 5 * 10**9, 3)
    assert summary.verdicts == Counter({Verdict.ALLOW: 2, Verdict.WOULD_DENY: 1})

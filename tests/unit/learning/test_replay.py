"""Recorded flows, judged anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.flows import Peer
from landfast.policy.evaluate import evaluate
from landfast.policy.numbering import RuleKind
from landfast.policy.source import read
from landfast.policy.succession import succeed
from landfast.policy.tables import compile_policy
from landfast.replay import Change, Judgement, Replay, change
from landfast.verdict import Reason, Verdict
from tests.unit.learning.sights import sighting, sightings
from tests.unit.policy.strategies import NOWS, policies

POLICY = """\
version: 1
data_classes:
  eu:
    allow:
      - {to: 203.0.113.0/24, ports: [tcp/443, udp/53], reason: backups}
      - {to: 192.0.2.0/24, ports: [tcp/443], reason: over, expires: 2020-01-01T00:00:00Z}
      - {to: 10.0.0.0/8, ports: [tcp/32768-60999], reason: whoever calls from an ephemeral port}
    serve:
      - {from: 203.0.113.0/24, ports: [tcp/8443], reason: moderation}
    peers:
      - {to: 127.0.0.53/32, ports: [udp/53], reason: resolver}
      - {unix: /run/systemd/notify, reason: readiness}
  watched:
    mode: audit
  shut:
    loopback: deny
  open:
    loopback: allow
"""
NOW = 1_750_000_000.0


def replay(text: str = POLICY) -> Replay:
    policy = succeed(read(text).draft, None)
    return Replay(policy, compile_policy(policy, bytes(32)), NOW)


CANDIDATE = replay()
ALLOWED = {"verdict": Verdict.ALLOW, "reason": Reason.RULE}


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_the_compiled_answer_is_the_definition(data: st.DataObject) -> None:
    policy = data.draw(policies())
    asked = Replay(policy, compile_policy(policy, bytes(32)), data.draw(st.sampled_from(NOWS)))
    for seen in data.draw(st.lists(sightings(), min_size=5, max_size=20)):
        answers = [evaluate(policy, asked.question(seen, carries)) for carries in seen.peer.value]
        judged = asked.judge(seen)
        assert (judged.verdict, judged.reason) in {(answer.verdict, answer.reason) for answer in answers}
        assert judged.certain == (len({answer.verdict for answer in answers}) == 1)
        assert judged.change == change(seen.verdict, judged.verdict)
        if judged.change == Change.NONE:
            assert all(answer.verdict == seen.verdict for answer in answers)


@pytest.mark.parametrize(
    ("before", "after", "means"),
    [
        (Verdict.ALLOW, Verdict.ALLOW, Change.NONE),
        (Verdict.ALLOW, Verdict.DENY, Change.DENIED),
        (Verdict.ALLOW, Verdict.WOULD_DENY, Change.RECORDED),
        (Verdict.DENY, Verdict.ALLOW, Change.ALLOWED),
        (Verdict.DENY, Verdict.DENY, Change.NONE),
        (Verdict.DENY, Verdict.WOULD_DENY, Change.ALLOWED),
        (Verdict.WOULD_DENY, Verdict.ALLOW, Change.ALLOWED),
        (Verdict.WOULD_DENY, Verdict.DENY, Change.DENIED),
        (Verdict.WOULD_DENY, Verdict.WOULD_DENY, Change.NONE),
    ],
)
def test_changes(before: Verdict, after: Verdict, means: Change) -> None:
    assert change(before, after) == means


@pytest.mark.parametrize(
    ("fields", "judgement"),
    [
        ({}, (Change.ALLOWED, Reason.RULE)),
        ({"port": 444, **ALLOWED}, (Change.DENIED, Reason.NO_RULE)),
        ({"remote": "192.0.2.1", **ALLOWED}, (Change.DENIED, Reason.EXPIRED)),
        ({"classes": ("gone",), **ALLOWED}, (Change.DENIED, Reason.UNKNOWN_CLASS)),
        ({"classes": ("eu", "gone"), **ALLOWED}, (Change.DENIED, Reason.UNKNOWN_CLASS)),
        ({"classes": ("watched",), **ALLOWED}, (Change.RECORDED, Reason.NO_RULE)),
        ({"kind": RuleKind.SERVE, "port": 8443}, (Change.ALLOWED, Reason.SERVE)),
        ({"kind": RuleKind.SERVE, "port": 8444}, (Change.NONE, Reason.NO_RULE)),
        (
            {"kind": RuleKind.SERVE, "port": 1, "remote": "10.1.1.1", "remote_port": 40000},
            (Change.ALLOWED, Reason.RULE),
        ),
        ({"kind": RuleKind.PEERS, "remote": "127.0.0.53", "port": 53, "protocol": 17}, (Change.ALLOWED, Reason.PEER)),
        ({"kind": RuleKind.PEERS, "unix": "/run/systemd/notify"}, (Change.ALLOWED, Reason.PEER)),
        ({"kind": RuleKind.PEERS, "unix": "/run/docker.sock"}, (Change.NONE, Reason.UNTAGGED_PEER)),
    ],
)
def test_judgements(fields: dict[str, object], judgement: tuple[Change, Reason]) -> None:
    judged = CANDIDATE.judge(sighting(**fields))  # type: ignore[arg-type]
    assert ((judged.change, judged.reason), judged.certain) == (judgement, True)


@pytest.mark.parametrize(
    ("name", "peer", "expected"),
    [
        ("eu", Peer.CARRIES, Judgement(Change.NONE, Verdict.ALLOW, Reason.SAME_CLASS, certain=True)),
        ("eu", Peer.LACKS, Judgement(Change.DENIED, Verdict.DENY, Reason.UNTAGGED_PEER, certain=True)),
        ("eu", Peer.UNKNOWN, Judgement(Change.DENIED, Verdict.DENY, Reason.UNTAGGED_PEER, certain=False)),
        ("shut", Peer.UNKNOWN, Judgement(Change.DENIED, Verdict.DENY, Reason.UNTAGGED_PEER, certain=True)),
        ("open", Peer.UNKNOWN, Judgement(Change.NONE, Verdict.ALLOW, Reason.LOOPBACK, certain=True)),
    ],
)
def test_what_depends_on_who_listens_says_so(name: str, peer: Peer, expected: Judgement) -> None:
    seen = sighting("127.0.0.1", kind=RuleKind.PEERS, classes=(name,), peer=peer, verdict=Verdict.ALLOW)
    assert CANDIDATE.judge(seen) == expected


def test_an_unnamed_unix_socket_is_not_any_socket() -> None:
    seen = sighting(kind=RuleKind.PEERS, unix="?")
    unnamed = seen._replace(flow=seen.flow._replace(unix_name=""))
    assert CANDIDATE.judge(unnamed).reason == Reason.UNTAGGED_PEER

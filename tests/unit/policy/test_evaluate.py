"""What a policy means, by worked examples. `test_tables` holds the compiled form against this for everything else."""

import pytest
from msgspec.structs import replace

from landfast.policy.evaluate import Decision, Question, evaluate
from landfast.policy.lookup import TableSlot, decide
from landfast.policy.tables import compile_policy
from landfast.verdict import Reason, Verdict
from tests.unit.policy.examples import EXPIRY, NOW, policy_of

POLICY = policy_of()
EEA, PII = POLICY.tags(["eea-user-data"]), POLICY.tags(["pii"])
SLOT = TableSlot(compile_policy(POLICY, bytes(32)))


def ask(tags: int, remote: str, port: int, **more: object) -> Decision:
    fields = {"protocol": 6, "now": float(NOW), **more}
    question = Question(tags=tags, remote=remote, remote_port=port, **fields)  # type: ignore[arg-type]
    decision, compiled = evaluate(POLICY, question), decide(SLOT, question)
    assert replace(compiled, rules=()) == replace(decision, rules=())
    return decision


ALLOW, DENY, WOULD_DENY = Verdict.ALLOW, Verdict.DENY, Verdict.WOULD_DENY


@pytest.mark.parametrize(
    ("tags", "remote", "port", "more", "verdict", "reason"),
    [
        (0, "203.0.113.9", 443, {}, ALLOW, Reason.NONE),
        (EEA, "10.20.9.9", 443, {}, ALLOW, Reason.RULE),
        (EEA, "::ffff:10.20.9.9", 443, {}, ALLOW, Reason.RULE),
        (EEA, "10.20.9.9", 444, {}, DENY, Reason.NO_RULE),
        (EEA, "10.20.9.9", 8000, {"protocol": 17}, ALLOW, Reason.RULE),
        (EEA, "10.20.9.9", 8100, {"protocol": 17}, ALLOW, Reason.RULE),
        (EEA, "10.20.9.9", 7999, {"protocol": 17}, DENY, Reason.NO_RULE),
        (EEA, "10.20.9.9", 8101, {"protocol": 17}, DENY, Reason.NO_RULE),
        (EEA, "10.21.0.0", 443, {}, DENY, Reason.NO_RULE),
        (EEA, "192.0.2.127", 443, {}, ALLOW, Reason.RULE),
        (EEA, "192.0.2.128", 443, {}, DENY, Reason.NO_RULE),
        (EEA, "2001:db8:77::1", 443, {}, ALLOW, Reason.RULE),
        (EEA, "10.20.9.9", 443, {"now": EXPIRY - 1}, ALLOW, Reason.RULE),
        (EEA, "10.20.9.9", 443, {"now": EXPIRY}, DENY, Reason.EXPIRED),
        (EEA, "10.30.0.1", 50000, {"local_port": 8443, "serving": True}, ALLOW, Reason.SERVE),
        (EEA, "10.30.0.1", 50000, {"local_port": 8443}, DENY, Reason.NO_RULE),
        (EEA, "10.30.0.1", 8443, {"local_port": 50000, "serving": True}, DENY, Reason.NO_RULE),
        (EEA, "127.0.0.53", 53, {"local": True, "protocol": 17}, ALLOW, Reason.PEER),
        (EEA, "127.0.0.1", 53, {"local": True}, DENY, Reason.UNTAGGED_PEER),
        (EEA, "10.20.0.1", 443, {"local": True}, DENY, Reason.UNTAGGED_PEER),
        (EEA, "127.0.0.1", 80, {"local": True, "peer_tags": EEA | PII}, ALLOW, Reason.SAME_CLASS),
        (EEA | PII, "127.0.0.1", 80, {"local": True, "peer_tags": EEA}, DENY, Reason.UNTAGGED_PEER),
        (EEA | PII, "127.0.0.1", 80, {"local": True, "peer_tags": EEA | PII}, ALLOW, Reason.SAME_CLASS),
        (PII, "127.0.0.1", 80, {"local": True}, ALLOW, Reason.LOOPBACK),
        (PII, "10.20.2.1", 443, {}, WOULD_DENY, Reason.NO_RULE),
        (EEA | PII, "10.20.2.1", 443, {}, WOULD_DENY, Reason.NO_RULE),
        (EEA | PII, "10.20.1.1", 443, {}, ALLOW, Reason.RULE),
        (EEA | PII, "10.20.1.1", 80, {}, DENY, Reason.NO_RULE),
        (PII, "10.20.1.1", 0, {"protocol": 1}, ALLOW, Reason.RULE),
        (PII, "10.20.1.1", 7, {"protocol": 132}, ALLOW, Reason.RULE),
        (1 << 9, "10.20.1.1", 443, {}, DENY, Reason.UNKNOWN_CLASS),
        (PII | 1 << 63, "10.20.1.1", 443, {}, DENY, Reason.UNKNOWN_CLASS),
        (1 << 9, "127.0.0.1", 80, {"local": True, "peer_tags": 1 << 9}, DENY, Reason.UNKNOWN_CLASS),
    ],
)
def test_worked_examples(
    tags: int, remote: str, port: int, more: dict[str, object], verdict: Verdict, reason: Reason
) -> None:
    decision = ask(tags, remote, port, **more)
    assert (decision.verdict, decision.reason) == (verdict, reason)


def test_what_is_missing_and_what_allowed() -> None:
    assert ask(EEA | PII, "10.20.1.1", 80).missing == EEA
    assert ask(EEA | PII, "10.20.2.1", 443).missing == PII
    assert ask(EEA | PII, "10.20.1.1", 443).rules == (1, 5 + 1)

"""`landfast simulate` and `landfast policy suggest`, against a real controller that holds what hosts recorded."""

import asyncio
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest

from landfast import batch, event
from landfast.identity import Bundle
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.batch_pb2 import Batch, Process
from landfast.verdict import Reason, Stage, Verdict
from tests.e2e.controller.deployment import Deployment
from tests.e2e.controller.person import Person
from tests.testbed.event_keys import signer

POLICY = """\
version: 1
data_classes:
  eu:
    allow:
      - {to: 10.20.0.0/16, ports: [tcp/443], reason: replication}
"""
BOOT = "0c5b4f0e-5d0a-4f0e-9d38-6d4c8a1f2b3c"


def record(remote: str, verdict: Verdict, **fields: int) -> bytes:
    reason = Reason.RULE if verdict == Verdict.ALLOW else Reason.NO_RULE
    usual = {"tags": 2, "tgid": 4711, "image": 77, "stage": Stage.CONNECT, "protocol": 6, "remote_port": 443}
    return event.pack(
        **(usual | {"verdict": verdict, "reason": reason, "remote": IPv6Address(f"::ffff:{remote}").packed} | fields)
    )


RECORDS = [
    *[record("10.20.0.4", Verdict.ALLOW)] * 7,
    *[record("203.0.113.8", Verdict.WOULD_DENY)] * 5,
    *[record("203.0.113.9", Verdict.WOULD_DENY)] * 3,
    record("203.0.113.9", Verdict.DENY, stage=Stage.SYSCALL, reason=Reason.FORBIDDEN_CALL),
]


@pytest.fixture
async def person(fragile: Deployment, tmp_path: Path) -> Person:
    """Somebody whose controller has the records of one host."""
    made = Person(fragile, tmp_path)
    await asyncio.to_thread(made.login, fragile.directory / "first-approver.pem")
    body = Batch(
        host="hall-1",
        boot_id=BOOT,
        first_sequence=1,
        clock_offset_ns=1_700_000_000_000_000_000,
        record_size=event.SIZE,
        records=b"".join(RECORDS),
        processes=[Process(tgid=4711, image=77, comm="curl", executable="/usr/bin/curl")],
        classes={1: "eu"},
    )
    await _push(fragile, await fragile.enrol("hall-1"), batch.seal(batch.encode(body), b"", signer("hall-1")))
    return made


async def _push(deployment: Deployment, bundle: Bundle, data: bytes) -> None:
    async with deployment.channel(bundle) as channel:
        stream: Any = AgentServiceStub(channel).Push()
        await stream.write(PushRequest(batch=data))
        await stream.read()


def test_simulate_tells_what_a_file_would_change(person: Person) -> None:
    file = person.policy(POLICY)
    done = person.run("simulate", file, status=1)
    assert "newly denied: these passed, and would be refused" in done.stdout
    assert "15 decisions: 7 unchanged, 8 newly denied, 0 newly allowed, 0 newly would deny" in done.stdout
    assert "-> 203.0.113.8 tcp/443" in done.stdout
    assert "curl on hall-1" in done.stdout
    assert "left out: 1 what no allowlist judges" in done.stderr
    assert "unused: nothing that was recorded is about these rules" not in done.stdout
    (first, second) = person.json("simulate", file, status=1)["newly_denied"]
    assert [(each["remote"], each["port"], each["count"]) for each in (first, second)] == [
        ("203.0.113.8", 443, 5),
        ("203.0.113.9", 443, 3),
    ]
    assert (first["classes"], first["host"], first["process"]["name"]) == (["eu"], "hall-1", "curl")
    assert (first["recorded"], first["reason"]) == ({"WOULD_DENY": 5}, "NO_RULE")
    wide = person.policy(POLICY.replace("10.20.0.0/16", "0.0.0.0/0"))
    assert "8 newly allowed" in person.says("simulate", wide, "--since", "0")
    elsewhere = person.policy(POLICY.replace("10.20.0.0/16", "10.99.0.0/16"))
    told = person.run("simulate", elsewhere, status=1).stdout
    assert "is about these rules\n  eu allow 10.99.0.0/16 tcp/443: replication\n" in told
    unused = {"class": "eu", "list": "allow", "rule": "10.99.0.0/16 tcp/443", "reason": "replication"}
    assert person.json("simulate", elsewhere, status=1)["unused"] == [unused]
    gone = person.policy(POLICY.replace("eu:", "other:"))
    assert {each["reason"] for each in person.json("simulate", gone, status=1)["newly_denied"]} == {"UNKNOWN_CLASS"}


def test_simulate_says_what_is_wrong(person: Person) -> None:
    assert "host bits" in person.complains("simulate", person.policy(POLICY.replace("0.0/16", "0.1/16")), status=2)
    assert "or a duration" in person.complains("simulate", person.policy(POLICY), "--since", "12x", status=2)
    person.deployment.kill()
    assert "nobody listens there" in person.complains("simulate", person.policy(POLICY), status=3)


def test_what_is_suggested_is_valid_and_denies_nothing_that_was_seen(person: Person) -> None:
    out = person.home / "draft.yaml"
    person.run("policy", "suggest", "eu", "--out", out)
    text = out.read_text()
    assert text.startswith("# A draft for eu: what it was seen to do from ")
    assert "to: 203.0.113.8/31" in text
    assert 'reason: "seen 8 times by curl on hall-1, last 20' in text
    assert "1 data classes, 2 rules" in person.says("policy", "validate", out)
    out.write_text(text.replace("mode: audit", "mode: enforce"))
    assert "0 newly denied, 8 newly allowed" in person.says("simulate", out)
    assert "exists" in person.complains("policy", "suggest", "eu", "--out", out, status=2)
    assert person.says("policy", "suggest", "eu") == text


def test_a_suggestion_keeps_what_the_class_is(person: Person) -> None:
    person.run("policy", "apply", person.policy(POLICY.replace("eu:", "eu:\n    description: theirs")), "--reason", "x")
    text = person.says("policy", "suggest", "eu")
    assert "description: theirs\n    mode: enforce\n" in text
    assert "10.20.0.4/32" in text


def test_nothing_is_suggested_for_what_was_not_seen(person: Person) -> None:
    assert "nothing was recorded of billing" in person.complains("policy", "suggest", "billing", status=1)
    assert "is no name" in person.complains("policy", "suggest", "No Such", status=2)

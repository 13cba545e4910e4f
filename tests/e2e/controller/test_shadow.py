"""`landfast shadow`, against a real controller whose hosts speak for themselves."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast import batch, event
from landfast.identity import Bundle
from landfast.shadow import MAX_BYTES
from landfast.v1.agent_pb2 import Hello, PushRequest, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import ControlAction, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.batch_pb2 import Batch, Notice, NoticeKind
from landfast.v1.shadow_pb2 import Shadow, ShadowFlow, ShadowReport, StartShadowRequest
from landfast.v1.shadow_pb2_grpc import ShadowServiceStub
from tests.e2e.controller.deployment import Deployment, code_of, details_of
from tests.e2e.controller.person import Person
from tests.testbed.event_keys import signer

BOOT = "0c5b4f0e-5d0a-4f0e-9d38-6d4c8a1f2b3c"
WHY = ("--reason", "a test")


@pytest.fixture
async def person(fragile: Deployment, tmp_path: Path) -> Person:
    made = Person(fragile, tmp_path)
    await asyncio.to_thread(made.login, fragile.directory / "first-approver.pem")
    return made


async def listening(deployment: Deployment, bundle: Bundle, runs: Shadow | None = None) -> Shadow:
    """What a host that connects is told to judge by; it says which shadow it has already."""
    async with deployment.channel(bundle) as channel:
        stream: Any = AgentServiceStub(channel).Sync()
        await stream.write(SyncRequest(hello=Hello(shadow=runs)))
        async with asyncio.timeout(60):
            told: Shadow = (await stream.read()).shadow
        return told


async def report(deployment: Deployment, bundle: Bundle, host: str, found: ShadowReport) -> None:
    """Hands a report over, as a notice of the host's first batch."""
    notice = Notice(kind=NoticeKind.NOTICE_KIND_SHADOW, text="shadow", shadow=found)
    body = Batch(host=host, boot_id=BOOT, first_sequence=1, record_size=event.SIZE, notices=[notice])
    async with deployment.channel(bundle) as channel:
        stream: Any = AgentServiceStub(channel).Push()
        await stream.write(PushRequest(batch=batch.seal(batch.encode(body), b"", signer(body.host))))
        await stream.read()


def found(digest: bytes, denied: int) -> ShadowReport:
    flow = ShadowFlow(
        change="newly_denied",
        classes=["eea-user-data"],
        list="allow",
        remote=bytes((203, 0, 113, 9)),
        protocol=6,
        port=443,
        comm="curl",
        recorded={1: denied},
        verdict=2,
        reason=6,
        certain=True,
    )
    return ShadowReport(digest=digest, unchanged=7, newly_denied=denied, missed=2, flows=[flow] if denied else [])


async def actions(deployment: Deployment) -> list[ControlAction]:
    async with deployment.channel(deployment.approver) as channel:
        stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
        told = [ControlAction.FromString(each.control) async for each in stream if each.control]
    return [each for each in told if each.kind != ControlAction.KIND_LOG_READ]


async def test_a_shadow_from_its_start_over_a_restart_to_its_end(person: Person) -> None:
    deployment, file = person.deployment, person.policy()
    halls = {name: await deployment.enrol(name) for name in ("hall-1", "hall-2")}
    await asyncio.to_thread(person.says, "fleet", "label", "hall-2", "canary")
    done = await asyncio.to_thread(person.says, "shadow", "start", file, "--host", "hall-1", "--for", "2h", *WHY)
    assert "judges on host hall-1 until 20" in done
    first = await listening(deployment, halls["hall-1"])
    assert b"eea-user-data" in first.canonical
    complaint = await asyncio.to_thread(person.complains, "shadow", "start", file, *WHY, status=1)
    assert f"host hall-1 has shadow {first.digest.hex()[:16]} already (a test)" in complaint
    await asyncio.to_thread(person.says, "shadow", "start", file, "--label", "canary", *WHY)
    deployment.kill()
    await asyncio.to_thread(deployment.start)
    assert await listening(deployment, halls["hall-1"]) == first
    await report(deployment, halls["hall-1"], "hall-1", found(first.digest, 23))
    await report(deployment, halls["hall-2"], "hall-2", found(b"an older one", 5))
    told = await asyncio.to_thread(person.json, "shadow", "status", status=1)
    assert [(each["host"], each["state"], each["decisions"]["newly_denied"]) for each in told["hosts"]] == [
        ("hall-1", "judging", 23),
        ("hall-2", "not heard of yet", 0),
    ]
    (flow,) = told["newly_denied"]
    assert (flow["host"], flow["remote"], flow["port"], flow["count"]) == ("hall-1", "203.0.113.9", 443, 23)
    table = await asyncio.to_thread(person.run, "shadow", "status", status=1)
    assert "30 decisions: 7 unchanged, 23 newly denied" in table.stdout
    assert "hall-2: not heard of yet" in table.stdout
    assert "2 events were gone from the spools" in table.stderr
    next_told = asyncio.create_task(listening(deployment, halls["hall-1"], first))
    while not (await asyncio.to_thread(person.json, "fleet", "show", "hall-1"))["connected"]:
        await asyncio.sleep(0.05)
    assert "the shadow of 2 hosts is over" in await asyncio.to_thread(person.says, "shadow", "stop", *WHY)
    assert await next_told == Shadow(), "what it has already is not sent again"
    assert "no host has a shadow now" in await asyncio.to_thread(person.complains, "shadow", "stop", *WHY, status=2)
    kinds = [each.kind for each in await actions(deployment)]
    assert kinds[-3:] == [ControlAction.KIND_SHADOW_STARTED] * 2 + [ControlAction.KIND_SHADOW_STOPPED]


async def test_what_is_no_shadow_is_refused_and_given_to_nobody(person: Person) -> None:
    deployment = person.deployment
    file = person.policy()
    complains = person.complains
    assert "no host is enrolled" in await asyncio.to_thread(complains, "shadow", "start", file, *WHY, status=1)
    await deployment.enrol("hall-1")
    told = await asyncio.to_thread(complains, "shadow", "start", file, "--host", "hall-9", *WHY, status=2)
    assert "host hall-9 is not enrolled" in told
    told = await asyncio.to_thread(complains, "shadow", "start", file, "--label", "canary", *WHY, status=2)
    assert "no host has the label canary" in told
    told = await asyncio.to_thread(complains, "shadow", "start", file, "--for", "31d", *WHY, status=2)
    assert "at most 2592000 s" in told
    bad = person.policy("version: 1\ndata_classes:\n  eu: {allow: [{to: 10.0.0.1/8, ports: [any], reason: x}]}\n")
    assert "host bits" in await asyncio.to_thread(complains, "shadow", "start", bad, *WHY, status=2)
    async with deployment.channel(deployment.approver) as channel:
        huge = StartShadowRequest(canonical=bytes(MAX_BYTES + 1), reason="a test")
        with pytest.raises(AioRpcError) as failure:
            await ShadowServiceStub(channel).StartShadow(huge)
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
    assert "it has 4194305 bytes; a shadow has at most 4194304" in details_of(failure)
    assert await asyncio.to_thread(person.json, "shadow", "status") | {"decisions": 0} == {
        "hosts": [],
        "missed": 0,
        "decisions": 0,
        "newly_denied": [],
        "newly_allowed": [],
        "newly_would_deny": [],
        "beyond": 0,
        "left_out": {},
    }

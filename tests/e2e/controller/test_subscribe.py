"""Auditors: from an index, a time or now, filtered, resumed, slow."""

import asyncio
import time
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast import batch
from landfast.identity import Bundle
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import SubscribeRequest, SubscribeResponse
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.verdict import Verdict
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import Deployment, code_of, details_of

_DENIED, _ALLOWED = SubscribeRequest.VERDICTS_DENIED, SubscribeRequest.VERDICTS_ALLOWED


async def _push(deployment: Deployment, bundle: Bundle, *batches: bytes) -> None:
    async with deployment.channel(bundle) as channel:
        stream = AgentServiceStub(channel).Push()
        for data in batches:
            await stream.write(PushRequest(batch=data))
            await stream.read()


async def _all(deployment: Deployment, **request: Any) -> list[SubscribeResponse]:
    async with deployment.channel(deployment.approver) as channel:
        return [entry async for entry in AuditServiceStub(channel).Subscribe(SubscribeRequest(**request))]


def _batches(entries: list[SubscribeResponse]) -> list[bytes]:
    return [entry.batch for entry in entries if entry.batch]


async def test_indexes_have_no_gap_and_times_never_run_backwards(deployment: Deployment) -> None:
    host = deployment.name("host")
    await _push(deployment, await deployment.enrol(host), *Chain(host).batches(70))
    entries = await _all(deployment, from_index=0)
    assert [entry.index for entry in entries] == list(range(len(entries)))
    times = [entry.received.ToNanoseconds() for entry in entries]
    assert times == sorted(times)


async def test_resuming_anywhere_gives_the_rest(deployment: Deployment) -> None:
    entries = await _all(deployment, from_index=0)
    for start in (0, 1, len(entries) // 2, len(entries) - 1, len(entries)):
        assert await _all(deployment, from_index=start) == entries[start:]


async def test_an_index_that_the_log_does_not_hold_is_an_error(deployment: Deployment) -> None:
    size = len(await _all(deployment, from_index=0))
    with pytest.raises(AioRpcError) as failure:
        await _all(deployment, from_index=size + 1, follow=True)
    assert code_of(failure) == StatusCode.OUT_OF_RANGE
    assert f"the log holds 0 to {size - 1}" in details_of(failure)


async def test_from_a_time(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle, chain = await deployment.enrol(host), Chain(host)
    await _push(deployment, bundle, chain.batch())
    start = Timestamp(nanos=0)
    start.FromNanoseconds(time.time_ns())
    later = chain.batches(3)
    await _push(deployment, bundle, *later)
    assert _batches(await _all(deployment, from_time=start)) == later


async def test_from_now_nothing_old_comes_and_the_place_is_told(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle, chain = await deployment.enrol(host), Chain(host)
    await _push(deployment, bundle, chain.batch())
    size = len(await _all(deployment, from_index=0))
    async with deployment.channel(deployment.approver) as channel:
        stream: Any = AuditServiceStub(channel).Subscribe(SubscribeRequest(follow=True))
        opening = await stream.read()
        assert (opening.progress, opening.index) == (True, size - 1)
        new = chain.batch()
        await _push(deployment, bundle, new)
        assert (await stream.read()).batch == new
        stream.cancel()


async def test_filters(deployment: Deployment) -> None:
    one, two = deployment.name("host"), deployment.name("host")
    start = len(await _all(deployment, from_index=0))
    first, second = Chain(one), Chain(two)
    denied, allowed = first.batch(), first.batch(verdict=Verdict.ALLOW)
    would, other = second.batch(verdict=Verdict.WOULD_DENY), second.batch(data_class="health")
    await _push(deployment, await deployment.enrol(one), denied, allowed)
    await _push(deployment, await deployment.enrol(two), would, other)

    async def matching(**request: Any) -> list[bytes]:
        entries = await _all(deployment, from_index=start, **request)
        assert sum(bool(entry.control) for entry in entries) == 4  # two tokens, two hosts: always told
        return _batches(entries)

    assert await matching() == [denied, allowed, would, other]
    assert await matching(hosts=[two]) == [would, other]
    assert await matching(verdicts=_DENIED) == [denied, would, other]
    assert await matching(verdicts=_ALLOWED) == [allowed]
    assert await matching(classes=["health"]) == [other]
    assert await matching(classes=["health"], verdicts=_ALLOWED) == []
    assert await matching(hosts=["nobody"]) == []
    assert await matching(destinations=["203.0.113.9"], processes=["curl"], hosts=[one]) == [denied, allowed]
    assert await matching(destinations=["198.51.100.0/24", "2000::/3"]) == []
    assert await matching(processes=["wget"]) == []
    with pytest.raises(AioRpcError) as failure:
        await matching(destinations=["10.0.0.1/8"])
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
    assert "host bits" in details_of(failure)


async def test_a_filtered_reader_is_told_how_far_the_log_reached(deployment: Deployment) -> None:
    host = deployment.name("host")
    await _push(deployment, await deployment.enrol(host), *Chain(host).batches(5))
    entries = await _all(deployment, from_index=0, hosts=["nobody"])
    assert (entries[-1].progress, entries[-1].index) == (True, len(await _all(deployment, from_index=0)) - 1)


async def test_a_subscriber_that_does_not_read_delays_nobody(deployment: Deployment) -> None:
    """Several MiB wait for one that stopped; a live one gets each batch within moments of its acknowledgement."""
    host = deployment.name("host")
    bundle, chain = await deployment.enrol(host), Chain(host)
    await _push(deployment, bundle, *chain.batches(60, events=400))
    async with deployment.channel(await deployment.identity("auditor")) as stuck_channel:
        stuck: Any = AuditServiceStub(stuck_channel).Subscribe(SubscribeRequest(from_index=0, follow=True))
        first = await stuck.read()
        async with deployment.channel(deployment.approver) as channel:
            live: Any = AuditServiceStub(channel).Subscribe(SubscribeRequest(follow=True))
            await live.read()
            for _ in range(20):
                new = chain.batch(events=400)
                await _push(deployment, bundle, new)
                stored = time.monotonic()
                assert (await live.read()).batch == new
                assert time.monotonic() - stored < 0.5
            live.cancel()
        rest = [first, *[await stuck.read() for _ in range(len(await _all(deployment, from_index=1)))]]
        assert rest == await _all(deployment, from_index=0)
        stuck.cancel()


async def test_followers_survive_a_stopped_controller_by_resuming(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle, chain = await deployment.enrol(host), Chain(host)
    start = len(await _all(deployment, from_index=0))
    sent = chain.batches(20)
    seen: list[SubscribeResponse] = []

    async def follow() -> None:
        while len(seen) < len(sent):
            async with deployment.channel(deployment.approver) as channel:
                request = SubscribeRequest(from_index=seen[-1].index + 1 if seen else start, follow=True)
                stream: Any = AuditServiceStub(channel).Subscribe(request)
                try:
                    while len(seen) < len(sent) and (entry := await stream.read()) is not grpc.aio.EOF:
                        seen.append(entry)
                except AioRpcError:
                    await asyncio.sleep(0.05)

    following = asyncio.ensure_future(follow())
    await _push(deployment, bundle, *sent[:10])
    deployment.kill()
    await asyncio.to_thread(deployment.start)
    await _push(deployment, bundle, *sent[10:])
    await asyncio.wait_for(following, 10)
    assert [entry.batch for entry in seen] == sent
    assert [batch.decode(entry.batch).first for entry in seen] == list(range(1, 101, 5))

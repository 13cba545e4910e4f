"""Batches: into the log, once each, durably, whatever is killed."""

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from sqlalchemy import insert

from landfast import batch, event_key
from landfast.identity import Bundle
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import SubscribeRequest, SubscribeResponse
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast_controller import schema
from landfast_controller.errors import NotPermittedError
from landfast_controller.ingest import Ingest, Signer
from landfast_controller.store import Store, Transaction
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import Deployment, code_of, details_of
from tests.testbed.event_keys import public, signer


async def _push(deployment: Deployment, bundle: Bundle, batches: Sequence[bytes], acknowledged: list[int]) -> None:
    """Pushes batches; notes every acknowledgement. Raises AioRpcError when the stream breaks."""
    async with deployment.channel(bundle) as channel:
        stream = AgentServiceStub(channel).Push()

        async def write() -> None:
            for data in batches:
                await stream.write(PushRequest(batch=data))
            await stream.done_writing()

        writing = asyncio.ensure_future(write())
        try:
            async for response in stream:
                acknowledged.append(response.acknowledged)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


async def _pushed(deployment: Deployment, bundle: Bundle, *batches: bytes) -> list[int]:
    acknowledged: list[int] = []
    await _push(deployment, bundle, batches, acknowledged)
    return acknowledged


async def _log(deployment: Deployment, start: int = 0) -> list[SubscribeResponse]:
    async with deployment.channel(deployment.approver) as channel:
        return [entry async for entry in AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=start))]


async def _stored(deployment: Deployment, host: str) -> list[bytes]:
    entries = (entry.batch for entry in await _log(deployment) if entry.batch)
    return [data for data in entries if batch.decode(data).host == host]


async def test_the_log_holds_the_bytes_that_were_sent(deployment: Deployment) -> None:
    host = deployment.name("host")
    batches = Chain(host).batches(100, events=3)
    acknowledged = await _pushed(deployment, await deployment.enrol(host), *batches)
    assert acknowledged[-1] == 300
    assert acknowledged == sorted(acknowledged)
    assert await _stored(deployment, host) == batches


async def test_a_batch_that_is_sent_again_is_acknowledged_and_not_stored_again(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle, batches = await deployment.enrol(host), Chain(host).batches(6)
    assert (await _pushed(deployment, bundle, *batches))[-1] == 30
    assert (await _pushed(deployment, bundle, *batches[2:]))[-1] == 30
    assert await _stored(deployment, host) == batches


async def test_the_same_batches_on_two_streams_at_once_are_stored_once(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle, batches = await deployment.enrol(host), Chain(host).batches(200)
    results = await asyncio.gather(*(_pushed(deployment, bundle, *batches) for _ in range(2)))
    assert [result[-1] for result in results] == [1000, 1000]
    assert await _stored(deployment, host) == batches


async def _refused(deployment: Deployment, bundle: Bundle, *batches: bytes) -> tuple[StatusCode, str]:
    with pytest.raises(AioRpcError) as failure:
        await _pushed(deployment, bundle, *batches)
    return code_of(failure), details_of(failure)


async def test_a_gap_is_refused_naming_expected_and_got(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle, batches = await deployment.enrol(host), Chain(host).batches(4)
    await _pushed(deployment, bundle, *batches[:2])
    code, details = await _refused(deployment, bundle, batches[3])
    assert code == StatusCode.FAILED_PRECONDITION
    assert "expected sequence 11, got 16" in details
    assert f"landfast fleet token create --host {host}" in details
    assert (await _pushed(deployment, bundle, *batches[2:]))[-1] == 20


async def test_a_wrong_previous_hash_is_refused(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle, chain = await deployment.enrol(host), Chain(host)
    first = chain.batch()
    await _pushed(deployment, bundle, first)
    other = Chain(host, first=6, previous=b"\1" * 32).batch()
    code, details = await _refused(deployment, bundle, other)
    assert code == StatusCode.FAILED_PRECONDITION
    assert f"expected previous hash {batch.digest(first).hex()}, got {'01' * 32}" in details


async def test_another_batch_under_stored_numbers_is_refused(deployment: Deployment) -> None:
    """A host that was set back to a snapshot, or two agents with one identity."""
    host = deployment.name("host")
    bundle = await deployment.enrol(host)
    await _pushed(deployment, bundle, *Chain(host).batches(3))
    other = Chain(host)
    other.batch(events=1)
    code, details = await _refused(deployment, bundle, Chain(host).batch(events=4))
    assert code == StatusCode.FAILED_PRECONDITION
    assert "a different batch is stored" in details


async def test_a_host_that_has_lost_its_spool_is_refused_until_it_is_enrolled_again(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle = await deployment.enrol(host)
    await _pushed(deployment, bundle, *Chain(host).batches(3))
    fresh = [Chain(host).batch(events=20)]
    assert (await _refused(deployment, bundle, *fresh))[0] == StatusCode.FAILED_PRECONDITION
    bundle = await deployment.enrol(host, await deployment.token(host=host))
    assert await _pushed(deployment, bundle, *fresh) == [20]


async def test_a_host_that_recorded_before_it_joined_begins_where_it_is(deployment: Deployment) -> None:
    host = deployment.name("host")
    chain = Chain(host, first=501, previous=b"\2" * 32)
    assert (await _pushed(deployment, await deployment.enrol(host), *chain.batches(2)))[-1] == 510


async def test_another_hosts_batch_is_refused(deployment: Deployment) -> None:
    mine, theirs = deployment.name("host"), deployment.name("host")
    bundle = await deployment.enrol(mine)
    await deployment.enrol(theirs)
    code, details = await _refused(deployment, bundle, Chain(theirs).batch())
    assert code == StatusCode.PERMISSION_DENIED
    assert mine in details
    assert theirs in details


def _unsigned(data: bytes) -> bytes:
    """Without the signature, as an agent that does not sign would have made it."""
    return data[:-67]


def _resigned(data: bytes) -> bytes:
    """The same batch, signed by whoever."""
    return batch.seal(data[:-67], b"", signer("whoever"))


def _altered(data: bytes) -> bytes:
    """Signed by the host, and altered since."""
    return data.replace(b"curl", b"wget")


@pytest.mark.parametrize(
    ("forge", "words"),
    [(_unsigned, "is not signed at all"), (_resigned, "is not signed by"), (_altered, "is not signed by")],
)
async def test_what_the_host_has_not_signed_is_refused_and_not_stored(
    deployment: Deployment, forge: Callable[[bytes], bytes], words: str
) -> None:
    host = deployment.name("host")
    bundle, batches = await deployment.enrol(host), Chain(host).batches(3)
    await _pushed(deployment, bundle, *batches[:2])
    code, details = await _refused(deployment, bundle, forge(batches[2]))
    assert code == StatusCode.PERMISSION_DENIED
    assert f"batch of host {host!r} from sequence 11 {words}" in details
    assert event_key.text(public(host)) in details
    assert f"landfast fleet token create --host {host}" in details
    assert await _stored(deployment, host) == batches[:2]
    assert await _pushed(deployment, bundle, batches[2]) == [15]


async def test_a_batch_that_waits_while_its_host_is_enrolled_with_another_key_is_refused(tmp_path: Path) -> None:
    """It was verified by the key of before, and would stand in the log behind the enrolment that has ended it."""
    store = await Store.create(tmp_path / "landfast.db")
    times = dict.fromkeys(("enrolled_ns", "last_seen_ns", "last_batch_ns", "enrolled_index", "chain_start"), 0)
    row = times | {"name": "hall", "event_key": public("another")}

    async def enrol(transaction: Transaction) -> None:
        await transaction.connection.execute(insert(schema.hosts).values(row))

    await store.write(enrol)
    ingest = Ingest(store)
    stored = await ingest.submit(Signer("hall", public("hall")), Chain("hall").batch())
    running = asyncio.create_task(ingest.run())
    with pytest.raises(
        NotPermittedError, match=f"the host enrolled with, {re.escape(event_key.text(public('another')))}"
    ):
        await stored
    running.cancel()
    assert store.head.index == 0
    await store.close()


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff", b"x" * 60_001, b"\x0a\x01a"])
async def test_what_is_no_batch_is_refused_after_those_before_it_are_stored(
    deployment: Deployment, data: bytes
) -> None:
    host = deployment.name("host")
    bundle, acknowledged = await deployment.enrol(host), []
    batches = Chain(host).batches(3)
    with pytest.raises(AioRpcError) as failure:
        await _push(deployment, bundle, [*batches, data], acknowledged := list[int]())
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
    assert acknowledged[-1] == 15
    assert await _stored(deployment, host) == batches


async def test_a_refused_host_delays_nobody_else(deployment: Deployment) -> None:
    bad, good = deployment.name("host"), deployment.name("host")
    wrong, right = await deployment.enrol(bad), await deployment.enrol(good)
    chain = Chain(bad)
    await _pushed(deployment, wrong, chain.batch())
    chain.batch()
    refusals = (_refused(deployment, wrong, chain.batch()) for _ in range(20))
    batches = Chain(good).batches(200)
    results = await asyncio.gather(_pushed(deployment, right, *batches), *refusals)
    assert results[0][-1] == 1000


#: What a client sees of a server that is gone; INTERNAL when it was about to write.
_BROKEN = (StatusCode.UNAVAILABLE, StatusCode.CANCELLED, StatusCode.INTERNAL)


async def _agent(deployment: Deployment, bundle: Bundle, batches: list[bytes], sizes: int) -> None:
    """Sends all batches, after each break again from the last acknowledgement, as an agent does."""
    done = 0
    while done < len(batches):
        acknowledged: list[int] = []
        try:
            await _push(deployment, bundle, batches[done:], acknowledged)
        except AioRpcError as failure:
            if failure.code() not in _BROKEN:
                raise
            await asyncio.sleep(0.05)
        done = max([done, *(number // sizes for number in acknowledged)])


async def test_sigkill_loses_nothing_acknowledged_and_doubles_nothing(fragile: Deployment) -> None:
    """Three hosts push 1009 batches each while the controller is killed three times at random moments."""
    hosts = [f"hall-{number}" for number in range(3)]
    bundles = [await fragile.enrol(host) for host in hosts]
    sent = {host: Chain(host).batches(1009, events=7) for host in hosts}
    agents = [
        asyncio.ensure_future(_agent(fragile, bundle, sent[host], 7))
        for host, bundle in zip(hosts, bundles, strict=True)
    ]
    for _ in range(3):
        await asyncio.sleep(random.uniform(0.05, 0.3))
        fragile.kill()
        await asyncio.to_thread(fragile.start)
    await asyncio.gather(*agents)
    for host in hosts:
        assert await _stored(fragile, host) == sent[host]
    indexes = [entry.index for entry in await _log(fragile)]
    assert indexes == list(range(len(indexes)))


async def test_what_was_acknowledged_is_there_after_a_kill_right_after_the_acknowledgement(fragile: Deployment) -> None:
    bundle, chain = await fragile.enrol("hall"), Chain("hall")
    sent = []
    for _ in range(3):
        sent.append(chain.batch())
        await _pushed(fragile, bundle, sent[-1])
        fragile.kill()
        await asyncio.to_thread(fragile.start)
        assert await _stored(fragile, "hall") == sent

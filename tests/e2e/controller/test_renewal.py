"""Certificates of hosts: renewed, pending, in use, recovered. Lifetimes are short, clocks are real."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import EOF, AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from landfast.channel import CONNECTED
from landfast.identity import Bundle, certificate_of, key_pem, new_key, signing_request, spiffe_id_of
from landfast.v1.agent_pb2 import Hello, RenewRequest, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import ControlAction, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.fleet_pb2 import GetHostRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from tests.e2e.controller.deployment import Deployment, code_of, details_of, recovering


@pytest.fixture
def hasty(fresh: Deployment) -> Iterator[Deployment]:
    """A controller whose certificates last for seconds."""
    made = fresh.copy()
    made.settings = 'agent_lifetime = "3s"\nrenew_expired_within = "60s"\n'
    try:
        yield made.start()
    finally:
        made.remove()


async def renewed(deployment: Deployment, bundle: Bundle) -> Bundle:
    """What a host gets for a fresh key. It is not in use yet."""
    key = new_key()
    async with deployment.channel(bundle) as channel:
        made = await AgentServiceStub(channel).Renew(RenewRequest(csr=signing_request(key)))
    return Bundle(key_pem(key), made.certificate, bundle.authority, made.recovery)


@asynccontextmanager
async def synchronised(deployment: Deployment, bundle: Bundle) -> AsyncIterator[Any]:
    """An open Sync that the controller has recorded."""
    async with deployment.channel(bundle) as channel:
        stream = AgentServiceStub(channel).Sync()
        await stream.write(SyncRequest(hello=Hello()))
        if CONNECTED not in dict(await stream.initial_metadata()):
            await stream.read()  # raises how it ended
        yield stream


async def use(deployment: Deployment, bundle: Bundle) -> None:
    async with synchronised(deployment, bundle):
        pass


async def is_refused(deployment: Deployment, bundle: Bundle) -> bool:
    """Asked by a plain call: a stream that is refused while one writes may end as INTERNAL instead."""
    async with deployment.channel(bundle) as channel:
        try:
            await HealthStub(channel).Check(HealthCheckRequest(), wait_for_ready=True)
        except AioRpcError as error:
            if error.code() == StatusCode.UNAUTHENTICATED:
                return True
            raise
    return False


async def refusal(deployment: Deployment, bundle: Bundle) -> StatusCode:
    """How a Sync ends that is not let in. It writes nothing: see `is_refused`."""
    async with deployment.channel(bundle) as channel:
        return await how_it_ended(AgentServiceStub(channel).Sync())


async def how_it_ended(stream: Any) -> StatusCode:
    try:
        async with asyncio.timeout(30):
            while await stream.read() is not EOF:
                pass
    except AioRpcError as error:
        return error.code()
    return StatusCode.OK


async def actions(deployment: Deployment, kind: "ControlAction.Kind.ValueType", host: str) -> list[ControlAction]:
    async with deployment.channel(deployment.approver) as channel:
        entries = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
        found = [ControlAction.FromString(entry.control) async for entry in entries if entry.control]
    return [action for action in found if (action.kind, action.subject) == (kind, host)]


async def test_a_renewed_certificate_names_the_same_host_and_a_new_key(deployment: Deployment) -> None:
    host = deployment.name("host")
    old = await deployment.enrol(host)
    new = await renewed(deployment, old)
    assert spiffe_id_of(certificate_of(new)) == spiffe_id_of(certificate_of(old))
    assert certificate_of(new).public_key() != certificate_of(old).public_key()
    (action,) = await actions(deployment, ControlAction.KIND_HOST_RENEWED, host)
    assert action.fields["serial"] == f"{certificate_of(new).serial_number:x}"


async def test_the_default_is_a_day_and_thirty_more_for_coming_back(deployment: Deployment) -> None:
    bundle, now = await deployment.enrol(deployment.name("host")), time.time()
    assert certificate_of(bundle).not_valid_after_utc.timestamp() - now == pytest.approx(86400, abs=60)
    recovery = certificate_of(recovering(bundle))
    assert recovery.not_valid_after_utc.timestamp() - now == pytest.approx(31 * 86400, abs=60)


async def test_the_old_one_ends_when_the_new_one_is_used_and_not_before(deployment: Deployment) -> None:
    old = await deployment.enrol(deployment.name("host"))
    async with synchronised(deployment, old) as open_stream:
        new = await renewed(deployment, old)
        await use(deployment, old)
        assert not open_stream.done()
        await use(deployment, new)
        assert await how_it_ended(open_stream) == StatusCode.UNAUTHENTICATED
    assert await is_refused(deployment, old)
    with pytest.raises(AioRpcError):
        await renewed(deployment, recovering(old))
    await use(deployment, new)


async def test_a_lost_answer_locks_nobody_out(deployment: Deployment) -> None:
    """The host never learns what it was given: it asks again, and the first answer is worth nothing any more."""
    old = await deployment.enrol(deployment.name("host"))
    lost = [await renewed(deployment, old) for _ in range(3)]
    await use(deployment, old)
    new = await renewed(deployment, old)
    assert [await is_refused(deployment, each) for each in lost] == [True] * 3
    await use(deployment, new)
    assert await is_refused(deployment, old)


async def test_pending_and_used_survive_a_restart_of_the_controller(fragile: Deployment) -> None:
    old = await fragile.enrol("hall")
    new = await renewed(fragile, old)
    fragile.kill()
    await asyncio.to_thread(fragile.start)
    await use(fragile, old)
    await use(fragile, new)
    fragile.kill()
    await asyncio.to_thread(fragile.start)
    assert await is_refused(fragile, old)
    await use(fragile, new)


async def test_expiry_cuts_sync_and_the_host_comes_back_by_its_recovery_certificate(hasty: Deployment) -> None:
    old = await hasty.enrol("hall")
    async with synchronised(hasty, old) as stream:
        assert await how_it_ended(stream) == StatusCode.UNAUTHENTICATED
    assert await refusal(hasty, old) == StatusCode.UNAVAILABLE  # TLS lets nobody in whose certificate has expired
    assert await refusal(hasty, recovering(old)) == StatusCode.PERMISSION_DENIED
    new = await renewed(hasty, recovering(old))
    await use(hasty, new)
    with pytest.raises(AioRpcError) as failure:
        await renewed(hasty, recovering(old))
    assert code_of(failure) == StatusCode.UNAUTHENTICATED


async def test_a_pending_pair_whose_host_was_away_comes_to_use_by_its_recovery(hasty: Deployment) -> None:
    old = await hasty.enrol("hall")
    pending = await renewed(hasty, old)
    await asyncio.sleep(4)
    new = await renewed(hasty, recovering(pending))
    with pytest.raises(AioRpcError):
        await renewed(hasty, recovering(old))
    await use(hasty, new)


async def test_who_may_not_recover_gets_no_certificate_for_it(hasty: Deployment) -> None:
    hasty.settings = 'agent_lifetime = "60s"\nrenew_expired_within = "0s"\n'
    hasty.kill()
    await asyncio.to_thread(hasty.start)
    bundle = await hasty.enrol("hall")
    assert bundle.recovery == b""
    assert (await renewed(hasty, bundle)).recovery == b""


async def test_a_host_that_was_off_for_too_long_is_not_let_in(hasty: Deployment) -> None:
    hasty.settings = 'agent_lifetime = "1s"\nrenew_expired_within = "1s"\n'
    hasty.kill()
    await asyncio.to_thread(hasty.start)
    bundle = await hasty.enrol("hall")
    await asyncio.sleep(3)
    with pytest.raises(AioRpcError) as failure:
        await renewed(hasty, recovering(bundle))
    assert code_of(failure) == StatusCode.UNAVAILABLE


async def test_a_request_that_proves_nothing_is_refused(deployment: Deployment) -> None:
    async with deployment.channel(await deployment.enrol(deployment.name("host"))) as channel:
        with pytest.raises(AioRpcError) as failure:
            await AgentServiceStub(channel).Renew(RenewRequest(csr=b"rubbish"))
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT
    assert details_of(failure).startswith("csr: ")


async def test_the_controller_tells_when_a_host_expires(deployment: Deployment) -> None:
    host = deployment.name("host")
    bundle = await deployment.enrol(host)
    async with deployment.channel(deployment.approver) as channel:
        found = (await FleetServiceStub(channel).GetHost(GetHostRequest(name=host))).host
    assert found.identity_expires.ToSeconds() == certificate_of(bundle).not_valid_after_utc.timestamp()

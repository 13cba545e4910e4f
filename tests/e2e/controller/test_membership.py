"""Hosts that are shut out: banned until somebody lets them in again, or evicted until they enrol again."""

import asyncio
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast import batch as batches
from landfast.identity import Bundle
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.fleet_pb2 import BanHostRequest, EvictHostRequest, GetHostRequest, Host, UnbanHostRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import Deployment, code_of, details_of, recovering
from tests.e2e.controller.test_renewal import actions, how_it_ended, is_refused, renewed, synchronised, use
from tests.e2e.uplink.logs import logged


async def asked(deployment: Deployment, method: str, request: Any, bundle: Bundle | None = None) -> Host:
    async with deployment.channel(bundle or deployment.approver) as channel:
        answer: Any = await getattr(FleetServiceStub(channel), method)(request)
    return answer.host


async def ban(deployment: Deployment, host: str, bundle: Bundle | None = None) -> Host:
    return await asked(deployment, "BanHost", BanHostRequest(name=host, reason="its disk was stolen"), bundle)


async def unban(deployment: Deployment, host: str) -> Host:
    return await asked(deployment, "UnbanHost", UnbanHostRequest(name=host, reason="it was found"))


async def evict(deployment: Deployment, host: str, bundle: Bundle | None = None) -> Host:
    return await asked(deployment, "EvictHost", EvictHostRequest(name=host, reason="reinstalled"), bundle)


async def refusal(deployment: Deployment, bundle: Bundle) -> tuple[StatusCode, str]:
    """How the controller answers a host's Renew, which every valid certificate of it may call."""
    with pytest.raises(AioRpcError) as failure:
        await renewed(deployment, bundle)
    return code_of(failure), details_of(failure)


async def test_a_ban_cuts_sync_and_push_at_once_and_lets_nothing_in_until_it_is_ended(deployment: Deployment) -> None:
    host, operator = deployment.name("host"), await deployment.identity("operator")
    bundle, chain = await deployment.enrol(host), Chain(host)
    async with synchronised(deployment, bundle) as sync, deployment.channel(bundle) as channel:
        push = AgentServiceStub(channel).Push()
        await push.write(PushRequest(batch=chain.batch()))
        assert (await push.read()).acknowledged == 5
        banned = await ban(deployment, host, operator)
        assert [await how_it_ended(sync), await how_it_ended(push)] == [StatusCode.PERMISSION_DENIED] * 2
    assert (banned.ban.reason, banned.ban.by.rpartition("/")[0]) == (
        "its disk was stolen",
        "spiffe://landfast.internal/operator",
    )
    for each in (bundle, recovering(bundle)):
        code, words = await refusal(deployment, each)
        assert code == StatusCode.PERMISSION_DENIED
        assert f"host {host} is banned: its disk was stolen" in words
    with pytest.raises(AioRpcError) as failure:
        await deployment.enrol(host, await deployment.token(host=host))
    assert "is banned" in details_of(failure)
    assert not (await unban(deployment, host)).HasField("ban")
    await use(deployment, bundle)


async def test_a_ban_outlives_a_restart(fragile: Deployment) -> None:
    bundle = await fragile.enrol("hall")
    await ban(fragile, "hall")
    fragile.kill()
    await asyncio.to_thread(fragile.start)
    assert (await refusal(fragile, bundle))[0] == StatusCode.PERMISSION_DENIED


async def test_an_evicted_host_enrols_again_and_its_chain_goes_on(deployment: Deployment) -> None:
    """The acknowledgement of the last batch before was lost: it is sent again, and is in the log once."""
    host = deployment.name("host")
    old, chain = await deployment.enrol(host), Chain(host)
    before = chain.batches(3)
    assert await pushed(deployment, old, *before) == 15
    async with synchronised(deployment, old) as sync:
        assert not (await evict(deployment, host)).HasField("identity_expires")
        assert await how_it_ended(sync) == StatusCode.UNAUTHENTICATED
    assert await is_refused(deployment, old)
    assert (await refusal(deployment, recovering(old)))[0] == StatusCode.UNAUTHENTICATED
    with pytest.raises(AioRpcError):
        await deployment.enrol(host)
    new = await deployment.enrol(host, await deployment.token(host=host))
    after = chain.batches(2)
    assert await pushed(deployment, new, before[-1]) == 15
    assert await pushed(deployment, new, before[-1], *after) == 25
    assert await pushed(deployment, new, before[-1], *after) == 25
    assert await logged(deployment, host) == [*before, *after]


async def pushed(deployment: Deployment, bundle: Bundle, *sent: bytes) -> int:
    """Pushes batches; waits until the last one is acknowledged."""
    last = batches.decode(sent[-1]).last
    async with deployment.channel(bundle) as channel, asyncio.timeout(30):
        stream = AgentServiceStub(channel).Push()
        for data in sent:
            await stream.write(PushRequest(batch=data))
        while (acknowledged := (await stream.read()).acknowledged) < last:
            pass
    return int(acknowledged)


async def test_an_eviction_also_ends_what_is_pending(deployment: Deployment) -> None:
    host = deployment.name("host")
    old = await deployment.enrol(host)
    pending = await renewed(deployment, old)
    await evict(deployment, host)
    assert await is_refused(deployment, pending)


async def test_it_is_all_in_the_log_with_who_and_why(deployment: Deployment) -> None:
    host = deployment.name("host")
    await deployment.enrol(host)
    await ban(deployment, host)
    await evict(deployment, host)
    await unban(deployment, host)
    kinds = (ControlAction.KIND_HOST_BANNED, ControlAction.KIND_HOST_EVICTED, ControlAction.KIND_HOST_UNBANNED)
    found = [action for kind in kinds for action in await actions(deployment, kind, host)]
    assert [action.fields["reason"] for action in found] == ["its disk was stolen", "reinstalled", "it was found"]
    assert {action.actor for action in found} == {"spiffe://landfast.internal/approver/first-approver"}


@pytest.mark.parametrize("method", ["BanHost", "UnbanHost", "EvictHost"])
async def test_what_makes_no_sense_is_refused_with_the_remedy(deployment: Deployment, method: str) -> None:
    request = {"BanHost": BanHostRequest, "UnbanHost": UnbanHostRequest, "EvictHost": EvictHostRequest}[method]
    host = deployment.name("host")
    await deployment.enrol(host)
    for name, reason, code in (
        ("nobody", "why", StatusCode.NOT_FOUND),
        ("No Body", "why", StatusCode.INVALID_ARGUMENT),
        (host, " ", StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(AioRpcError) as failure:
            await asked(deployment, method, request(name=name, reason=reason))
        assert code_of(failure) == code
    if method != "UnbanHost":
        await asked(deployment, method, request(name=host, reason="once"))
    with pytest.raises(AioRpcError) as failure:
        await asked(deployment, method, request(name=host, reason="twice"))
    assert code_of(failure) == StatusCode.FAILED_PRECONDITION


async def test_a_host_that_was_shut_out_is_still_shown(deployment: Deployment) -> None:
    host = deployment.name("host")
    await deployment.enrol(host)
    await evict(deployment, host)
    found = await asked(deployment, "GetHost", GetHostRequest(name=host))
    assert (found.name, found.connected, found.HasField("identity_expires")) == (host, False, False)

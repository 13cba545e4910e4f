"""Certificates that must not get in, or not any longer."""

import time
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, insecure_channel

from landfast.identity import Bundle
from landfast.v1.audit_pb2 import SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.fleet_pb2 import ListHostsRequest, RevokeIdentityRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub, IdentityServiceStub
from landfast_controller.authority import Authority
from tests.e2e.controller.deployment import Deployment, code_of, details_of

_HOUR = timedelta(hours=1)


async def _list_hosts(deployment: Deployment, bundle: Bundle) -> None:
    async with deployment.channel(bundle) as channel:
        await FleetServiceStub(channel).ListHosts(ListHostsRequest(), timeout=5)


async def _revoke(deployment: Deployment, name: str) -> None:
    async with deployment.channel(deployment.approver) as channel:
        await IdentityServiceStub(channel).RevokeIdentity(RevokeIdentityRequest(name=name))


async def test_a_client_of_another_authority_does_not_get_in(deployment: Deployment) -> None:
    stranger = deployment.forged(
        "spiffe://landfast.internal/approver/eve", _HOUR, Authority.create("landfast.internal")
    )
    with pytest.raises(AioRpcError) as failure:
        await _list_hosts(deployment, stranger)
    assert code_of(failure) == StatusCode.UNAVAILABLE


async def test_a_controller_of_another_authority_is_not_believed(deployment: Deployment) -> None:
    mine = deployment.approver
    elsewhere = Bundle(mine.key, mine.certificate, Authority.create("elsewhere.internal").pem)
    with pytest.raises(AioRpcError) as failure:
        await _list_hosts(deployment, elsewhere)
    assert "CERTIFICATE_VERIFY_FAILED" in details_of(failure)


async def test_an_agent_cannot_pose_as_the_controller(deployment: Deployment) -> None:
    """Its certificate has neither the server's name nor its purpose."""
    agent = await deployment.enrol(deployment.name("host"))
    server = grpc.aio.server()
    pairs = [(agent.key, agent.certificate)]
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(pairs, agent.authority, False))
    await server.start()
    try:
        fake = Deployment(deployment.directory, port)
        with pytest.raises(AioRpcError) as failure:
            await _list_hosts(fake, deployment.approver)
        assert "CERTIFICATE_VERIFY_FAILED" in details_of(failure)
    finally:
        await server.stop(0)


async def test_a_client_without_a_certificate_does_not_get_in(deployment: Deployment) -> None:
    async with insecure_channel(deployment.address) as channel:
        with pytest.raises(AioRpcError) as failure:
            await FleetServiceStub(channel).ListHosts(ListHostsRequest(), timeout=5)
    assert code_of(failure) == StatusCode.UNAVAILABLE


async def test_a_certificate_that_has_expired_does_not_get_in(deployment: Deployment) -> None:
    late = deployment.forged("spiffe://landfast.internal/approver/late", timedelta(seconds=-1))
    with pytest.raises(AioRpcError) as failure:
        await _list_hosts(deployment, late)
    assert code_of(failure) == StatusCode.UNAVAILABLE


async def test_a_certificate_that_the_controller_does_not_know_is_not_enough(deployment: Deployment) -> None:
    unknown = deployment.forged("spiffe://landfast.internal/approver/ghost", _HOUR)
    with pytest.raises(AioRpcError) as failure:
        await _list_hosts(deployment, unknown)
    assert code_of(failure) == StatusCode.UNAUTHENTICATED
    assert "approver/ghost" in details_of(failure)


async def _drained(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_revocation_cuts_an_open_stream_at_once(deployment: Deployment) -> None:
    auditor = await deployment.identity("auditor", "victim")
    async with deployment.channel(auditor) as channel:
        stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(follow=True))
        await stream.read()
        await _revoke(deployment, "victim")
        started = time.monotonic()
        with pytest.raises(AioRpcError) as failure:
            await _drained(stream)
        assert time.monotonic() - started < 1
        assert code_of(failure) == StatusCode.UNAUTHENTICATED
        assert "revoked" in details_of(failure)
        with pytest.raises(AioRpcError) as failure:
            await FleetServiceStub(channel).ListHosts(ListHostsRequest())
        assert code_of(failure) == StatusCode.UNAUTHENTICATED


async def test_expiry_cuts_an_open_stream(deployment: Deployment) -> None:
    auditor = await deployment.identity("auditor", lifetime_s=2)
    async with deployment.channel(auditor) as channel:
        stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(follow=True))
        await stream.read()
        started = time.monotonic()
        with pytest.raises(AioRpcError) as failure:
            await _drained(stream)
    assert time.monotonic() - started < 4
    assert code_of(failure) == StatusCode.UNAUTHENTICATED
    assert "expired" in details_of(failure)


async def test_the_last_approver_cannot_be_revoked_the_last_but_one_can(fragile: Deployment) -> None:
    async with fragile.channel(fragile.approver) as channel:
        people = IdentityServiceStub(channel)
        with pytest.raises(AioRpcError) as failure:
            await people.RevokeIdentity(RevokeIdentityRequest(name="first-approver"))
        assert code_of(failure) == StatusCode.FAILED_PRECONDITION
        await fragile.identity("approver", "second")
        revoked = await people.RevokeIdentity(RevokeIdentityRequest(name="second"))
        assert revoked.identity.HasField("revoked")


async def test_a_name_is_one_persons_until_it_is_revoked(deployment: Deployment) -> None:
    await deployment.identity("operator", "alice")
    with pytest.raises(AioRpcError) as failure:
        await deployment.identity("approver", "alice")
    assert code_of(failure) == StatusCode.ALREADY_EXISTS
    await _revoke(deployment, "alice")
    await deployment.identity("auditor", "alice")

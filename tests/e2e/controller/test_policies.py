"""Versions of the policy: proposed, refused, given out, proved."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast.identity import Bundle
from landfast.policy import canonical
from landfast.policy.tables import compile_policy
from landfast.v1.agent_pb2 import Health, Hello, PolicyState, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast.v1.audit_pb2 import ControlAction, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.fleet_pb2 import GetHostRequest, Host, ListHostsRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from landfast.v1.policy_pb2 import GetPolicyRequest, ListPoliciesRequest, PolicyVersion
from landfast.v1.policy_pb2_grpc import PolicyServiceStub
from tests.e2e.controller.deployment import Deployment, code_of, details_of
from tests.e2e.controller.policies import following, newest, propose, request_for


@asynccontextmanager
async def _agent(deployment: Deployment, bundle: Bundle, hello: Hello | None = None) -> AsyncIterator[Any]:
    """A Sync stream that has said hello."""
    async with deployment.channel(bundle) as channel:
        stream = AgentServiceStub(channel).Sync()
        await stream.write(SyncRequest(hello=hello or Hello(agent_version="1", kernel="6.18")))
        try:
            yield stream
        finally:
            stream.cancel()


async def _host(deployment: Deployment, name: str) -> Host:
    async with deployment.channel(deployment.approver) as channel:
        return (await FleetServiceStub(channel).GetHost(GetHostRequest(name=name))).host


async def _becomes(deployment: Deployment, name: str, proved: bool) -> Host:
    """The host, once its proof is as expected."""
    deadline = time.monotonic() + 5
    while (host := await _host(deployment, name)).proved != proved:
        assert time.monotonic() < deadline, host
        await asyncio.sleep(0.02)
    return host


def _applied(version: PolicyVersion, map_digest: bytes | None = None) -> PolicyState:
    return PolicyState(
        version=version.policy.version,
        state=PolicyState.STATE_APPLIED,
        digest=version.policy.digest,
        map_digest=version.map_digest if map_digest is None else map_digest,
    )


async def test_a_connected_host_gets_a_new_version_at_once(deployment: Deployment) -> None:
    await propose(deployment, "10.0.0.0/24")
    async with _agent(deployment, await deployment.enrol(deployment.name("host"))) as stream:
        first = (await stream.read()).policy
        for _ in range(3):
            version = await propose(deployment, f"10.0.{first.version + 1}.0/24")
            accepted = time.monotonic()
            got = (await stream.read()).policy
            assert time.monotonic() - accepted < 0.5
            assert (got.version, got.canonical) == (version.policy.version, version.policy.canonical)


async def test_the_expected_digest_is_that_of_the_compiled_maps(deployment: Deployment) -> None:
    version = await propose(deployment, "10.1.0.0/24")
    policy = canonical.decode(version.policy.canonical)
    assert version.map_digest == compile_policy(policy, canonical.digest(version.policy.canonical)).digest


async def test_a_host_that_has_the_newest_version_is_sent_only_its_proof(deployment: Deployment) -> None:
    version = await propose(deployment, "10.2.0.0/24")
    bundle = await deployment.enrol(deployment.name("host"))
    async with _agent(deployment, bundle, Hello(loaded=_applied(version))) as stream:
        known = (await stream.read()).policy
        assert (known.version, known.canonical) == (version.policy.version, b"")
        assert "timestamp.json" in known.proof
        following = await propose(deployment, "10.2.1.0/24")
        assert (await stream.read()).policy.canonical == following.policy.canonical


async def test_a_host_is_proved_only_by_the_right_digests_of_the_newest_version(deployment: Deployment) -> None:
    name = deployment.name("host")
    async with _agent(deployment, await deployment.enrol(name)) as stream:
        version = await propose(deployment, "10.3.0.0/24")
        await stream.write(SyncRequest(policy_state=_applied(version)))
        host = await _becomes(deployment, name, proved=True)
        assert host.connected
        await stream.write(SyncRequest(policy_state=_applied(version, b"x" * 32)))
        await _becomes(deployment, name, proved=False)
        await stream.write(SyncRequest(policy_state=_applied(version)))
        await _becomes(deployment, name, proved=True)
        await propose(deployment, "10.3.1.0/24")
        await _becomes(deployment, name, proved=False)


async def test_what_becomes_of_a_policy_is_logged_once(deployment: Deployment) -> None:
    name = deployment.name("host")
    bundle = await deployment.enrol(name)
    version = await propose(deployment, "10.4.0.0/24")
    number = version.policy.version
    rejected = PolicyState(version=number, state=PolicyState.STATE_REJECTED, reason="map full")
    received = PolicyState(version=number, state=PolicyState.STATE_RECEIVED)
    altered = PolicyState(version=number, state=PolicyState.STATE_ALTERED, reason="dests differs")
    states = [received, rejected, rejected, _applied(version), _applied(version), altered]
    async with _agent(deployment, bundle) as stream:
        for state in states:
            await stream.write(SyncRequest(policy_state=state))
        await stream.write(SyncRequest(health=Health(lost_events=7)))
        await stream.done_writing()
        async for _ in stream:
            pass
    kinds = [action.kind for action in await _actions(deployment) if action.subject == name]
    assert kinds[1:] == [
        ControlAction.KIND_POLICY_REJECTED,
        ControlAction.KIND_POLICY_APPLIED,
        ControlAction.KIND_MAPS_ALTERED,
    ]


async def _actions(deployment: Deployment) -> list[ControlAction]:
    async with deployment.channel(deployment.approver) as channel:
        stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
        return [ControlAction.FromString(entry.control) async for entry in stream if entry.control]


async def test_health_and_hello_are_shown(deployment: Deployment) -> None:
    name = deployment.name("host")
    hello = Hello(agent_version="0.1.0", kernel="6.18", boot_id="b", hooks=["cgroup/connect4"])
    async with _agent(deployment, await deployment.enrol(name), hello) as stream:
        await stream.write(SyncRequest(health=Health(tagged_processes=3, lost_events=7)))
        deadline = time.monotonic() + 5
        while not (host := await _host(deployment, name)).health.lost_events:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert (host.hello, host.health.tagged_processes, host.connected) == (hello, 3, True)
    deadline = time.monotonic() + 5
    while (await _host(deployment, name)).connected:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_sign_of_life_is_never_shown_without_what_was_said_before(deployment: Deployment) -> None:
    names = [deployment.name("host") for _ in range(23)]
    bundles = {name: await deployment.enrol(name) for name in names}
    async with deployment.channel(deployment.approver) as channel, asyncio.TaskGroup() as tasks:
        alive = set[str]()
        for name, bundle in bundles.items():
            tasks.create_task(_says_hello_and_lives(deployment, bundle, lambda host=name: host in alive))
        while len(alive) < len(bundles):
            for host in (await FleetServiceStub(channel).ListHosts(ListHostsRequest())).hosts:
                if host.health.lost_events == 11:
                    assert host.hello.boot_id == "before"
                    alive.add(host.name)


async def _says_hello_and_lives(deployment: Deployment, bundle: Bundle, ends: Callable[[], bool]) -> None:
    async with _agent(deployment, bundle, Hello(agent_version="1", boot_id="before")) as stream:
        await stream.write(SyncRequest(health=Health(lost_events=11)))
        while not ends():
            await asyncio.sleep(0.01)


async def test_of_eight_proposals_on_one_version_one_is_accepted(deployment: Deployment) -> None:
    await propose(deployment, "10.5.0.0/24")
    async with deployment.channel(deployment.approver) as channel:
        stub = PolicyServiceStub(channel)
        before = await newest(stub)
        contents = [following(before, f"10.6.{number}.0/24") for number in range(8)]
        requests = [request_for(deployment, content, "race") for content in contents]
        results = await asyncio.gather(*map(stub.ProposePolicy, requests), return_exceptions=True)
    failures = [result for result in results if isinstance(result, AioRpcError)]
    assert {failure.code() for failure in failures} == {StatusCode.FAILED_PRECONDITION}
    assert len(failures) == 7


async def _refused(deployment: Deployment, content: bytes, reason: str = "a test") -> tuple[StatusCode, str]:
    async with deployment.channel(deployment.approver) as channel:
        with pytest.raises(AioRpcError) as failure:
            await PolicyServiceStub(channel).ProposePolicy(request_for(deployment, content, reason))
    return code_of(failure), details_of(failure)


async def test_what_is_no_policy_is_refused(deployment: Deployment) -> None:
    for content in (b"", b"{}", b"\xff", b"[" * 100_000):
        assert (await _refused(deployment, content))[0] == StatusCode.INVALID_ARGUMENT


async def test_bytes_that_are_not_canonical_are_refused(deployment: Deployment) -> None:
    async with deployment.channel(deployment.approver) as channel:
        content = following(await newest(PolicyServiceStub(channel)), "10.7.0.0/24")
    code, details = await _refused(deployment, content + b" ")
    assert code == StatusCode.INVALID_ARGUMENT
    assert "canonical" in details


async def test_a_rule_that_has_expired_cannot_be_introduced(deployment: Deployment) -> None:
    from msgspec.structs import replace

    async with deployment.channel(deployment.approver) as channel:
        content = following(await newest(PolicyServiceStub(channel)), "10.8.0.0/24")
    policy = canonical.decode(content)
    data_class = policy.classes[0]
    late = replace(policy, classes=(replace(data_class, allow=(replace(data_class.allow[0], expires=1),)),))
    code, details = await _refused(deployment, canonical.encode(late))
    assert code == StatusCode.INVALID_ARGUMENT
    assert "10.8.0.0/24" in details
    assert "expired" in details


async def test_a_very_long_refusal_arrives_shortened(deployment: Deployment) -> None:
    from msgspec.structs import replace

    async with deployment.channel(deployment.approver) as channel:
        content = following(await newest(PolicyServiceStub(channel)), "10.12.0.0/24")
    policy = canonical.decode(content)
    data_class = policy.classes[0]
    rule = data_class.allow[0]
    late = tuple(replace(rule, remote=f"10.12.{n}.0/24", expires=1, reason="größer" * 20) for n in range(200))
    code, details = await _refused(
        deployment, canonical.encode(replace(policy, classes=(replace(data_class, allow=late),)))
    )
    assert code == StatusCode.INVALID_ARGUMENT
    assert details.endswith("[...]")


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "x" * 1001])
async def test_a_reason_is_one_line(deployment: Deployment, reason: str) -> None:
    async with deployment.channel(deployment.approver) as channel:
        content = following(await newest(PolicyServiceStub(channel)), "10.9.0.0/24")
    code, details = await _refused(deployment, content, reason)
    assert code == StatusCode.INVALID_ARGUMENT
    assert details.startswith("reason: ")


async def test_history_comes_in_pages_newest_first(deployment: Deployment) -> None:
    for number in range(3):
        await propose(deployment, f"10.10.{number}.0/24")
    async with deployment.channel(deployment.approver) as channel:
        stub = PolicyServiceStub(channel)
        page = (await stub.ListPolicies(ListPoliciesRequest(limit=2))).policy_versions
        older = (await stub.ListPolicies(ListPoliciesRequest(limit=1, before=page[-1].policy.version))).policy_versions
    versions = [version.policy.version for version in (*page, *older)]
    assert versions == [versions[0], versions[0] - 1, versions[0] - 2]
    assert not page[0].policy.canonical
    assert page[0].author == "spiffe://landfast.internal/approver/first-approver"


async def test_numbers_beyond_the_database_are_just_not_there(deployment: Deployment) -> None:
    largest = 2**64 - 1
    await propose(deployment, "10.11.0.0/24")
    async with deployment.channel(deployment.approver) as channel:
        stub = PolicyServiceStub(channel)
        with pytest.raises(AioRpcError) as failure:
            await stub.GetPolicy(GetPolicyRequest(version=largest))
        assert code_of(failure) == StatusCode.NOT_FOUND
        assert (await stub.ListPolicies(ListPoliciesRequest(before=largest))).policy_versions
    name = deployment.name("host")
    async with _agent(deployment, await deployment.enrol(name)) as stream:
        state = PolicyState(version=largest, state=PolicyState.STATE_APPLIED, map_digest=b"x")
        await stream.write(SyncRequest(policy_state=state))
        await stream.done_writing()
        async for _ in stream:
            pass
    assert (await _host(deployment, name)).policy_state == state


async def test_a_stream_that_does_not_begin_with_hello_is_refused(deployment: Deployment) -> None:
    async with deployment.channel(await deployment.enrol(deployment.name("host"))) as channel:
        stream = AgentServiceStub(channel).Sync()
        await stream.write(SyncRequest(health=Health()))
        with pytest.raises(AioRpcError) as failure:
            await stream.read()
    assert code_of(failure) == StatusCode.INVALID_ARGUMENT

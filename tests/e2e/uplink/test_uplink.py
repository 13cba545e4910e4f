import asyncio
import signal
import socket
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest

from landfast.v1.agent_pb2 import PolicyState
from landfast.v1.fleet_pb2 import GetHostRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from landfast_agent.spool import IN_FLIGHT, Spool
from landfast_agent.spool_file import Mark
from tests.e2e.controller.policies import propose
from tests.e2e.uplink.hosts import until
from tests.e2e.uplink.logs import cookies, logged
from tests.testbed.event_keys import signer
from tests.unit.recording.builders import batch, record


def draft(*numbers):
    return batch([record(cookie=number) for number in numbers], host="", first_sequence=0)


def append(agent, *drafts):
    last = agent.spool.append(list(drafts), Mark())
    agent.uplink.stored(last)
    return last


async def host_of(deployment, agent):
    async with deployment.channel(deployment.approver) as channel:
        return (await FleetServiceStub(channel).GetHost(GetHostRequest(name=agent.name))).host


async def test_batches_arrive_byte_by_byte_and_in_order(deployment, agent):
    async with agent:
        for number in range(3 * IN_FLIGHT):
            last = append(agent, draft(number))
        sent = [sealed.data for sealed in agent.spool.pending()]
        async with asyncio.timeout(10):
            await agent.uplink.acknowledged(last)
    found = await logged(deployment, agent.name)
    assert cookies(found) == list(range(3 * IN_FLIGHT))
    assert set(sent) <= set(found)
    assert agent.spool.statistics().waiting_events == 0


async def test_what_was_recorded_before_the_connection_arrives_too(deployment, agent):
    agent.spool.append([draft(number) for number in range(100)], Mark())
    async with agent, asyncio.timeout(10):
        await agent.uplink.acknowledged(100)
    assert cookies(await logged(deployment, agent.name)) == list(range(100))


async def test_policies_arrive_and_what_became_of_them_is_told(deployment, agent):
    async with agent:
        await until(lambda: agent.uplink.state().connected, "it connects")
        first = await propose(deployment, "10.1.0.0/16")
        took = await until(lambda: agent.host.seen, "the policy arrives")
        assert agent.host.seen[-1].canonical == first.policy.canonical
        assert took < 1
        while (state := (await host_of(deployment, agent)).policy_state).state != PolicyState.STATE_REJECTED:
            await asyncio.sleep(0.02)
        assert (state.version, state.reason) == (first.policy.version, "a test")
        agent.uplink.report(PolicyState(version=1, state=PolicyState.STATE_ALTERED, reason="map dests"))
        while (await host_of(deployment, agent)).policy_state.reason != "map dests":
            await asyncio.sleep(0.02)


async def test_while_one_policy_is_loaded_only_the_newest_waits(deployment, agent):
    await propose(deployment, "10.2.0.0/16")
    agent.host.may_load.clear()
    async with agent:
        await until(lambda: agent.uplink.state().connected, "it connects")
        for number in range(5):
            newest = await propose(deployment, f"10.{10 + number}.0.0/16")
        agent.host.may_load.set()
        await until(lambda: agent.host.seen and agent.host.seen[-1].version == newest.policy.version, "the newest")
        assert len(agent.host.seen) <= 3


async def test_of_a_policy_that_takes_long_to_load_it_is_told_that_it_has_arrived(deployment, agent):
    agent.host.delay = 3
    async with agent:
        await until(lambda: agent.uplink.state().connected, "it connects")
        version = await propose(deployment, "10.3.0.0/16")
        told = []
        async with asyncio.timeout(20):
            while not told or told[-1] != PolicyState.STATE_REJECTED:
                state = (await host_of(deployment, agent)).policy_state
                if state.version == version.policy.version and state.state not in told:
                    told.append(state.state)
                await asyncio.sleep(0.05)
    assert told == [PolicyState.STATE_RECEIVED, PolicyState.STATE_REJECTED]


async def test_health_tells_that_the_host_lives(deployment, agent):
    async with agent:
        await until(lambda: agent.uplink.state().connected, "it connects")
        async with asyncio.timeout(20):
            while not (host := await host_of(deployment, agent)).health.tagged_processes:
                await asyncio.sleep(0.1)
        assert host.connected
        assert host.health.tagged_processes == 23
        assert host.hello.kernel == "6.18"


async def test_a_controller_that_is_killed_is_found_again_and_nothing_is_lost_or_doubled(deployment, agent):
    async with agent:
        await until(lambda: agent.uplink.state().connected, "it connects")
        number = 0
        for _ in range(3):
            for _ in range(40):
                number += 1
                append(agent, draft(number))
                await asyncio.sleep(0.002)
            deployment.kill()
            for _ in range(20):
                number += 1
                last = append(agent, draft(number))
            await until(lambda: not agent.uplink.state().connected, "it notices")
            assert agent.uplink.state().problem
            await asyncio.to_thread(deployment.start)
            await until(lambda: agent.uplink.state().connected, "it is found again")
        async with asyncio.timeout(20):
            await agent.uplink.acknowledged(last)
    assert cookies(await logged(deployment, agent.name)) == list(range(1, number + 1))


async def test_a_refused_batch_is_kept_and_policies_still_arrive(deployment, agent):
    agent.spool.close()
    agent.spool.host = "somebody-else"
    async with agent:
        append(agent, draft(1))
        await until(lambda: agent.uplink.state().refused, "the refusal is told")
        assert "somebody-else" in agent.uplink.state().refused
        newest = await propose(deployment, "10.99.0.0/16")
        await until(lambda: agent.host.seen and agent.host.seen[-1].version == newest.policy.version, "the policy")
        assert agent.uplink.state().connected
        assert agent.spool.statistics().waiting_events == 1


async def test_what_another_key_has_signed_is_refused_and_policies_still_arrive(deployment, agent):
    """Whose event key was replaced behind its back is told what to do; nothing of it is stored."""
    agent.spool.close()
    agent.spool = Spool(agent.spool.path, agent.name, partial(signer, "somebody-else"))
    async with agent:
        append(agent, draft(1))
        await until(lambda: "restore event.key there" in agent.uplink.state().refused, "the refusal is told")
        newest = await propose(deployment, "10.98.0.0/16")
        await until(lambda: agent.host.seen and agent.host.seen[-1].version == newest.policy.version, "the policy")
        assert agent.spool.statistics().waiting_events == 1
    assert await logged(deployment, agent.name) == []


async def test_a_missing_identity_is_told_and_read_when_it_comes(deployment, agent):
    identity = agent.directory / "identity.pem"
    identity.rename(agent.directory / "away.pem")
    async with agent:
        await until(lambda: "No such file" in agent.uplink.state().problem, "the problem is told")
        (agent.directory / "away.pem").rename(identity)
        await until(lambda: agent.uplink.state().connected, "it connects")


async def test_a_controller_that_hangs_is_noticed(deployment, agent):
    async with agent:
        await until(lambda: agent.uplink.state().connected, "it connects")
        process = deployment.program.process
        process.send_signal(signal.SIGSTOP)
        try:
            assert await until(lambda: not agent.uplink.state().connected, "it notices", 60) < 12
        finally:
            process.send_signal(signal.SIGCONT)
        await until(lambda: agent.uplink.state().connected, "it is found again")


async def test_an_unreachable_controller_costs_nothing_but_attempts(deployment, agent):
    agent.address = "127.0.0.1:1"
    agent.spool.append([draft(1)], Mark())
    async with agent:
        await until(lambda: "UNAVAILABLE" in agent.uplink.state().problem, "the problem is told")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await agent.uplink.acknowledged(1)
    assert len(agent.spool.pending()) == 1


async def test_a_listener_that_says_nothing_is_no_connection(deployment, agent):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        agent.address = f"127.0.0.1:{silent.getsockname()[1]}"
        async with agent:
            await asyncio.sleep(1)
            assert not agent.uplink.state().connected


@asynccontextmanager
async def far_away(port, delay):
    """A port that passes everything on to `port`, each piece `delay` seconds later in either direction."""
    loop, writers, tasks = asyncio.get_running_loop(), [], []

    async def carry(reader, writer):
        with suppress(OSError):
            while data := await reader.read(65536):
                loop.call_later(delay, writer.write, data)

    async def serve(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, back))
        tasks.extend((asyncio.create_task(carry(reader, back)), asyncio.create_task(carry(there, writer))))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.close()
    await asyncio.wait(tasks)


async def test_a_distant_controller_is_reached(deployment, agent):
    """Round trips of 0.6 s, as behind a bad satellite link."""
    agent.spool.append([draft(number) for number in range(100)], Mark())
    async with far_away(deployment.port, 0.3) as port:
        agent.address = f"127.0.0.1:{port}"
        async with agent, asyncio.timeout(20):
            await agent.uplink.acknowledged(100)

"""Where a host says that it begins is where it does, whatever goes on while it enrols; an auditor can tell."""

import asyncio
import random
from contextlib import asynccontextmanager
from functools import partial

import pytest

from landfast.event_key import public_of
from landfast_agent import enrol, event_key
from landfast_agent.spool import IN_FLIGHT, Spool
from landfast_agent.spool_file import Mark
from tests.e2e.controller.deployment import Deployment
from tests.e2e.controller.test_membership import evict
from tests.e2e.uplink.hosts import Agent, enrolled, join, until
from tests.e2e.uplink.logs import audited, cookies
from tests.e2e.uplink.test_uplink import append, draft


def key_of(directory):
    return partial(event_key.obtain, event_key.path_in(directory / "state"))


def alone(directory, name):
    """The spool of a daemon that has no controller."""
    (directory / "state").mkdir(exist_ok=True)
    return Spool(directory / "state/spool.sqlite", name, key_of(directory), standalone=True)


@asynccontextmanager
async def recording(append):
    """Events come while the body runs, faster than anybody types; gives their numbers."""
    numbers = []

    async def record():
        while True:
            numbers.append(len(numbers))
            append(draft(numbers[-1]))
            await asyncio.sleep(random.uniform(0, 0.01))

    task = asyncio.create_task(record())
    try:
        yield numbers
    finally:
        task.cancel()
        await asyncio.wait([task])


async def found(deployment, agent):
    """The host's batches, and where it has said that it begins; an auditor with its key finds nothing wrong."""
    return await audited(deployment, agent.name, public_of(key_of(agent.directory.parent)()))


async def delivered(agent):
    """Everything that the host has recorded is its controller's."""
    async with agent, asyncio.timeout(30):
        await agent.uplink.acknowledged(agent.spool.tip.next_sequence - 1)


async def test_a_host_that_has_been_on_its_own_and_records_while_it_enrols(deployment, tmp_path):
    name = deployment.name("hall")
    spool = alone(tmp_path, name)
    async with recording(lambda each: spool.append([each], Mark())) as numbers:
        await until(lambda: len(numbers) > 30, "it has recorded")
        await join(deployment, tmp_path, name)
        joined = len(numbers)
        await until(lambda: len(numbers) > joined + 3 * IN_FLIGHT, "it goes on on its own")
    spool.close()
    agent = Agent(deployment, tmp_path / "state", name)
    append_later = [draft(each) for each in range(len(numbers), len(numbers) + 5)]
    agent.spool.append(append_later, Mark())
    await delivered(agent)
    batches, [begins] = await found(deployment, agent)
    assert cookies(batches) == list(range(begins.first - 1, len(numbers) + 5))
    assert 30 < begins.first <= joined + 1
    assert agent.spool.promised() is None


async def test_a_host_that_never_recorded_begins_at_one(deployment, agent):
    agent.spool.append([draft(1), draft(2)], Mark())
    await delivered(agent)
    batches, [begins] = await found(deployment, agent)
    assert (cookies(batches), begins.first, begins.previous) == ([1, 2], 1, b"")


async def test_enrolled_twice_in_a_row_and_between_with_a_token_that_is_refused(deployment, tmp_path):
    """Nothing was sent after the first: the second says the same, whatever was recorded meanwhile."""
    name = deployment.name("hall")
    spool = alone(tmp_path, name)
    for number in range(3):
        spool.append([draft(number)], Mark())
    await join(deployment, tmp_path, name)
    for _ in range(2):
        spool.append([draft(3)], Mark())
        enrol.identity_file(tmp_path / "state").unlink()
        with pytest.raises(Exception, match="exit status 1"):
            await join(deployment, tmp_path, name)  # takes a token of its name
        await join(deployment, tmp_path, name, again=True)
    spool.close()
    agent = Agent(deployment, tmp_path / "state", name)
    await delivered(agent)
    batches, said = await found(deployment, agent)
    assert cookies(batches) == [3, 3]
    assert [each.first for each in said] == [4, 4, 4]


async def test_evicted_and_enrolled_again_while_it_records(deployment, tmp_path):
    agent = await enrolled(deployment, tmp_path)
    async with agent, recording(partial(append, agent)) as numbers:
        await until(lambda: agent.spool.statistics().acknowledged > 0, "events arrive")
        await evict(deployment, agent.name)
        enrol.identity_file(agent.directory).unlink()
        await join(deployment, tmp_path, agent.name, again=True)
        told = agent.spool.statistics().acknowledged
        await until(lambda: agent.spool.statistics().acknowledged > told, "it goes on", 40)
    await delivered(agent)
    batches, [first, second] = await found(deployment, agent)
    assert cookies(batches) == numbers
    assert (first.first, 1 < second.first <= told + 1) == (1, True)


async def test_a_host_whose_acknowledgements_are_lost_says_that_it_begins_with_what_is_there(deployment, tmp_path):
    agent = await enrolled(deployment, tmp_path)
    agent.spool.append([draft(1), draft(2)], Mark())
    agent.spool.close()
    copy = agent.spool.path.read_bytes()
    await delivered(agent)
    for file in agent.directory.glob("spool.sqlite*"):
        file.unlink()
    agent.spool.path.write_bytes(copy)
    enrol.identity_file(agent.directory).unlink()
    await join(deployment, tmp_path, agent.name, again=True)
    agent.spool.append([draft(3)], Mark())
    await delivered(agent)
    batches, said = await found(deployment, agent)
    assert cookies(batches) == [1, 2, 3]
    assert [each.first for each in said] == [1, 1]


async def test_a_host_that_moves_while_its_daemon_still_reports_to_the_controller_before(deployment, tmp_path):
    """What that one acknowledges after the enrolment, the new one still gets."""
    other = Deployment.make()
    try:
        other.start()
        agent = await enrolled(deployment, tmp_path)
        async with agent, recording(partial(append, agent)) as numbers:
            await until(lambda: agent.spool.statistics().acknowledged > 0, "events arrive")
            enrol.identity_file(agent.directory).unlink()
            await join(other, tmp_path, agent.name)
            moved = len(numbers)
            await until(lambda: len(numbers) > moved + 3 * IN_FLIGHT, "it goes on", 40)
            await until(lambda: not agent.uplink.state().connected, "it leaves the controller of before")
        moving = Agent(other, agent.directory, agent.name)
        await delivered(moving)
        batches, [begins] = await found(other, moving)
        assert cookies(batches) == numbers[begins.first - 1 :]
        assert 1 < begins.first <= moved + 1
    finally:
        other.remove()


async def test_a_controller_that_has_lost_everything(tmp_path):
    """A new one, with a log of its own, that the host joins with the spool that it has."""
    first, second = Deployment.make(), Deployment.make()
    try:
        first.start()
        agent = await enrolled(first, tmp_path)
        agent.spool.append([draft(1), draft(2)], Mark())
        await delivered(agent)
        agent.spool.append([draft(3)], Mark())
        first.kill()
        second.start()
        enrol.identity_file(agent.directory).unlink()
        await join(second, tmp_path, agent.name)
        moving = Agent(second, agent.directory, agent.name)
        moving.spool.append([draft(4)], Mark())
        await delivered(moving)
        batches, [begins] = await found(second, moving)
        assert (cookies(batches), begins.first) == ([3, 4], 3)
    finally:
        first.remove()
        second.remove()

"""An agent's identity over time, against a real controller. Lifetimes are short, clocks are real."""

import asyncio
import sqlite3
import time
from contextlib import asynccontextmanager, contextmanager

import pytest

from landfast_agent import enrol
from landfast_agent.identity_file import Identity
from landfast_agent.spool_file import Mark
from tests.e2e.controller.deployment import Deployment
from tests.e2e.controller.test_membership import ban, evict, unban
from tests.e2e.controller.test_renewal import renewed, use
from tests.e2e.uplink.hosts import enrolled, join, until
from tests.e2e.uplink.logs import cookies, logged
from tests.e2e.uplink.test_uplink import append, draft

pytestmark = pytest.mark.long

LONG = "120s"


@pytest.fixture
def controller():
    """A controller of the test's own; call it with the lifetime of certificates, and how long one may come back."""
    made = Deployment.make()

    def start(lifetime, recovery=LONG):
        made.settings = f'agent_lifetime = "{lifetime}"\nrenew_expired_within = "{recovery}"\n'
        return made.start()

    yield start
    made.remove()


def held(agent):
    return Identity.read(enrol.identity_file(agent.directory))


def has_renewed(agent):
    return enrol.renewed_file(enrol.identity_file(agent.directory))


def connected(agent):
    return agent.uplink.state().connected


def expired(agent):
    return time.time() > held(agent).expires


@asynccontextmanager
async def recording(agent):
    """Events come while the body runs; gives their number so far. All of them have to get to the controller."""
    numbers = []

    async def record():
        while True:
            numbers.append(len(numbers))
            append(agent, draft(numbers[-1]))
            await asyncio.sleep(0.02)

    task = asyncio.create_task(record())
    try:
        yield numbers
    finally:
        task.cancel()
    async with asyncio.timeout(30):
        await agent.uplink.acknowledged(len(numbers))


async def test_it_is_renewed_in_time_again_and_again_and_nothing_is_lost(controller, tmp_path):
    deployment = controller("8s")
    agent = await enrolled(deployment, tmp_path)
    async with agent, recording(agent) as numbers:
        for _ in range(3):
            before = held(agent)
            await until(lambda before=before: held(agent) != before, "it is renewed", 8)
            assert before.expires > time.time()
            assert not has_renewed(agent).exists()
            await until(lambda: connected(agent), "it connects anew")
            assert agent.uplink.state().identity.problem == ""
    assert cookies(await logged(deployment, agent.name)) == numbers


@contextmanager
def locked(deployment):
    """Nobody can write the controller's database while the body runs."""
    database = sqlite3.connect(deployment.directory / "landfast.db", isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        database.close()


async def test_a_refused_renewal_leaves_the_working_identity_and_is_told(controller, tmp_path):
    deployment = controller("30s")
    agent = await enrolled(deployment, tmp_path)
    before = held(agent)
    async with agent:
        await until(lambda: connected(agent), "it connects")
        with locked(deployment):
            refused = "UNAVAILABLE: the controller's database: "
            await until(lambda: refused in agent.uplink.state().identity.problem, "it is told", 30)
            assert agent.uplink.state().identity.problem.startswith("identity: its certificate expires at ")
            assert (held(agent), connected(agent)) == (before, True)
        await until(lambda: held(agent) != before, "it is renewed", 30)
        assert agent.uplink.state().identity.problem == ""
        await until(lambda: connected(agent), "it connects anew")


async def test_a_renewed_identity_that_was_not_used_yet_is_used_at_the_next_start(controller, tmp_path):
    deployment = controller(LONG)
    agent = await enrolled(deployment, tmp_path)
    pending = await renewed(deployment, held(agent).bundle)
    pending.write(has_renewed(agent))
    async with agent:
        await until(lambda: connected(agent), "it connects")
        assert held(agent).bundle == pending


async def test_a_kill_after_the_first_use_and_before_the_old_file_is_replaced(controller, tmp_path):
    deployment = controller(LONG)
    agent = await enrolled(deployment, tmp_path)
    pending = await renewed(deployment, held(agent).bundle)
    pending.write(has_renewed(agent))
    await use(deployment, pending)
    async with agent:
        await until(lambda: connected(agent), "it connects")
        assert held(agent).bundle == pending


async def test_a_renewed_identity_that_is_not_let_in_leaves_the_old_one_in_use(controller, tmp_path):
    """Its place was taken by one whose answer was lost."""
    deployment = controller(LONG)
    agent = await enrolled(deployment, tmp_path)
    before = held(agent)
    (await renewed(deployment, before.bundle)).write(has_renewed(agent))
    await renewed(deployment, before.bundle)
    async with agent, recording(agent):
        await until(lambda: connected(agent), "it connects")
        assert held(agent) == before


async def test_a_controller_that_was_away_until_everything_had_expired(controller, tmp_path):
    deployment = controller("6s")
    agent = await enrolled(deployment, tmp_path)
    async with agent, recording(agent) as numbers:
        await until(lambda: connected(agent), "it connects")
        deployment.kill()
        await until(lambda: expired(agent), "the identity expires", 20)
        assert "has expired" in agent.uplink.state().identity.problem
        await asyncio.to_thread(deployment.start)
        await until(lambda: connected(agent), "it is let in without a person", 40)
        assert agent.uplink.state().identity.problem == ""
    assert cookies(await logged(deployment, agent.name)) == numbers


async def test_a_host_that_was_off_for_too_long_for_its_identity(controller, tmp_path):
    deployment = controller("1s")
    agent = await enrolled(deployment, tmp_path)
    agent.spool.append([draft(number) for number in range(23)], Mark())
    await until(lambda: expired(agent), "the identity expires")
    deployment.kill()
    deployment.settings = ""
    await asyncio.to_thread(deployment.start)
    async with agent, asyncio.timeout(20):
        await agent.uplink.acknowledged(23)
    assert cookies(await logged(deployment, agent.name)) == list(range(23))


async def test_where_nobody_may_recover_an_expired_host_says_so(controller, tmp_path):
    deployment = controller("1s", recovery="0s")
    agent = await enrolled(deployment, tmp_path)
    await until(lambda: expired(agent), "the identity expires")
    async with agent:
        await until(lambda: agent.uplink.state().problem.startswith("UNAVAILABLE"), "it is not let in")
        assert not connected(agent)
        assert "has expired" in agent.uplink.state().identity.problem


async def test_a_ban_cuts_a_live_agent_and_after_it_nothing_is_missing(controller, tmp_path):
    deployment = controller(LONG)
    agent = await enrolled(deployment, tmp_path)
    async with agent, recording(agent) as numbers:
        await until(lambda: agent.spool.statistics().acknowledged > 0, "events arrive")
        await ban(deployment, agent.name)
        await until(lambda: not connected(agent), "it is cut")
        await until(lambda: "is banned: its disk was stolen" in agent.uplink.state().problem, "it is told why")
        await asyncio.sleep(1)
        assert not connected(agent)
        await unban(deployment, agent.name)
        await until(lambda: connected(agent), "it is let in again", 40)
    assert cookies(await logged(deployment, agent.name)) == numbers


async def test_an_evicted_host_that_enrols_again_goes_on_without_a_gap(controller, tmp_path):
    """While its agent runs: it finds the new identity by itself."""
    deployment = controller(LONG)
    agent = await enrolled(deployment, tmp_path)
    async with agent, recording(agent) as numbers:
        await until(lambda: agent.spool.statistics().acknowledged > 0, "events arrive")
        await evict(deployment, agent.name)
        await until(lambda: "UNAUTHENTICATED" in agent.uplink.state().problem, "it is shut out")
        enrol.identity_file(agent.directory).unlink()
        await join(deployment, tmp_path, agent.name, again=True)
        await until(lambda: connected(agent), "it is let in again", 40)
    assert cookies(await logged(deployment, agent.name)) == numbers

"""Nobody says any more that the policy is the newest: it goes on, and classes that ask for it are denied everything."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from landfast.policy.model import Policy
from landfast.policy.succession import succeed
from tests.e2e.trust.adversary import Captive, captive
from tests.testbed import DATA_CENTRE, Namespace, Network, client
from tests.unit.policy.examples import draft_of
from tests.unit.trust.deployment import Deployment

pytestmark = pytest.mark.long

_FILE = """
version: 1
data_classes:
  steady:
    allow: [{to: 10.20.0.0/16, ports: [tcp/443], reason: replication}]
  strict:
    on_stale_policy: deny-all
    loopback: allow
    allow: [{to: 10.20.0.0/16, ports: [tcp/443], reason: replication}]
"""
_LIFETIME = timedelta(seconds=25)


def _policy() -> Policy:
    return succeed(draft_of(_FILE), None)


async def _attempt(made: Captive, where: Namespace, data_class: str) -> str:
    """How a process of the class fares that connects to the data centre."""
    program = ("/usr/bin/python3", "-IS", client.__file__, json.dumps([("tcp", str(DATA_CENTRE.ip4), 443)]))
    done = await asyncio.to_thread(where.run, made.host.tagged(*program, classes=data_class), timeout=180)
    [result] = json.loads(done.stdout)
    return str(result)


async def _until_stale(made: Captive, *, stale: bool) -> None:
    async with asyncio.timeout(120):
        while any("policy is stale" in each for each in (await made.status())["problems"]) != stale:
            await asyncio.sleep(0.5)


async def _until_told(made: Captive) -> list[dict[str, str]]:
    """The events that say so: the daemon looks once a second, and the recorder writes a little later."""
    async with asyncio.timeout(120):
        while not (found := await made.notices("STALE_POLICY")):
            await asyncio.sleep(0.5)
    return found


@pytest.mark.timeout(900)
async def test_a_policy_that_grows_stale_holds_or_denies_all(servers: Network, tmp_path: Path) -> None:
    deployment, where = Deployment(), servers["enclave"]
    async with captive(tmp_path, deployment.root) as (controller, made):
        deployment.release(_policy(), "alice", "carol")
        await controller.send(deployment.announce(1))
        approved = made.loaded()
        assert [await _attempt(made, where, each) for each in ("steady", "strict")] == ["ok", "ok"]

        await controller.send(deployment.announce(1, lifetime=_LIFETIME))
        await _until_stale(made, stale=True)
        assert len(await _until_told(made)) == 1
        assert [await _attempt(made, where, each) for each in ("steady", "strict")] == ["ok", "EPERM"]
        tightened = made.loaded()
        assert (tightened.policy_digest, tightened.version) == (approved.policy_digest, 1)
        assert tightened.digest != approved.digest

        made.kill()
        await made.start()
        assert made.loaded().digest == tightened.digest
        assert [await _attempt(made, where, each) for each in ("steady", "strict")] == ["ok", "EPERM"]
        assert not await made.notices("MAPS_ALTERED")

        state = await controller.send(deployment.announce(1))
        assert state.map_digest == approved.digest == made.loaded().digest
        await _until_stale(made, stale=False)
        assert [await _attempt(made, where, each) for each in ("steady", "strict")] == ["ok", "ok"]

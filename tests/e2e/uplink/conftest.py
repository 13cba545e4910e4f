"""A controller for each test module, and hosts that are enrolled there."""

import asyncio
from collections.abc import Iterator

import pytest

from landfast_agent import enrol
from tests.e2e.controller.deployment import Deployment
from tests.e2e.uplink.hosts import Agent


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    made = Deployment.make()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
async def agent(deployment, tmp_path):
    """A host that is enrolled, not yet connected."""
    name = deployment.name("hall")
    token = tmp_path / "token.pem"
    (await deployment.token()).write(token)
    await asyncio.to_thread(enrol.enrol, deployment.address, token, tmp_path / "state", name)
    return Agent(deployment, tmp_path / "state", name)

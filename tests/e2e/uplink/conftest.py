"""A controller for each test module, and hosts that are enrolled there."""

from collections.abc import Iterator

import pytest

from tests.e2e.controller.deployment import Deployment
from tests.e2e.uplink.hosts import enrolled


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
    return await enrolled(deployment, tmp_path)

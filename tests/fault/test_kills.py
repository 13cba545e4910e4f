"""The campaign of tests/e2e/agent/test_fleet.py for as long as it takes to meet rare moments."""

import random
from pathlib import Path

import pytest

from tests.e2e.agent.campaign import VICTIMS, campaign
from tests.e2e.agent.fleet import fleet
from tests.testbed import Network

#: Of each of seven seeds: a thousand, and some.
KILLS = 151


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [3, 5, 7, 11, 13, 17, 19])
async def test_sigkill_of_agent_controller_and_both_loses_and_doubles_nothing(
    servers: Network, tmp_path: Path, seed: int
) -> None:
    victims = random.Random(seed).choices(VICTIMS, k=KILLS)
    async with fleet(tmp_path) as both:
        assert await campaign(both, servers["enclave"], victims, seed) > 100 * KILLS

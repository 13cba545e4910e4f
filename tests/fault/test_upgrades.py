"""The campaign of tests/e2e/agent/test_upgrade.py for as long as it takes to meet rare moments."""

import random
from pathlib import Path

import pytest

from tests.e2e.agent.host import Host
from tests.e2e.agent.release import Campaign, other_release, under_load
from tests.testbed import Network

ACTIONS = 53


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [11, 13])
def test_no_frame_gets_out_however_the_agent_ends(servers: Network, fresh: Host, tmp_path: Path, seed: int) -> None:
    campaign = Campaign(fresh, [fresh.agent, other_release(tmp_path / "other")], seed)
    with under_load(fresh, servers):
        for action in random.Random(seed).choices(campaign.actions, k=ACTIONS):
            action()
    campaign.agent.stop()
    assert len(campaign.tags) == 2, "each release ran programs of its own"

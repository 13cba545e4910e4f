"""Upgrades and crashes under load, a few of each; tests/fault goes on for longer."""

from pathlib import Path

import pytest

from tests.e2e.agent.host import Host
from tests.e2e.agent.release import Campaign, other_release, under_load
from tests.testbed import Network


@pytest.mark.timeout(600)
def test_no_frame_gets_out_while_the_agent_is_upgraded_and_killed(
    servers: Network, fresh: Host, tmp_path: Path
) -> None:
    campaign = Campaign(fresh, [fresh.agent, other_release(tmp_path / "other")], seed=7)
    with under_load(fresh, servers):
        campaign.upgrade()
        for action in campaign.actions:
            action()
        campaign.upgrade()
    campaign.agent.stop()
    assert len(campaign.tags) == 2, "each release ran programs of its own"

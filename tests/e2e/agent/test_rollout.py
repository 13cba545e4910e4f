"""A real host is the canary: what its kernel refuses halts the rollout, and a rollback lets it send again."""

import asyncio
from pathlib import Path

import pytest

from landfast.v1.fleet_pb2 import LabelHostRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from landfast.v1.rollout_pb2 import GetRolloutRequest, Rollout
from landfast.v1.rollout_pb2_grpc import RolloutServiceStub
from tests.e2e.agent.fleet import Fleet, end, fleet, line
from tests.e2e.controller.believers import Believer, until
from tests.e2e.controller.policies import propose
from tests.testbed import DATA_CENTRE, Network

pytestmark = pytest.mark.long

_SETTINGS = """
[rollout]
stages = ["canary", "all"]
settle = "20s"
"""
_OPEN, _CLOSED = "10.20.0.0/16", "192.0.2.0/24"

#: Connects twenty times a second, and says how that goes whenever it goes differently.
_CONNECTING = f"""
import socket, time
before = None
while True:
    with socket.socket() as sock:
        outcome = sock.connect_ex(("{DATA_CENTRE.ip4}", 443))
    if outcome != before:
        print(outcome, flush=True)
        before = outcome
    time.sleep(0.05)
"""


async def _rollout(both: Fleet) -> Rollout:
    async with both.deployment.channel(both.deployment.approver) as channel:
        return (await RolloutServiceStub(channel).GetRollout(GetRolloutRequest())).rollout


async def _label(both: Fleet, name: str) -> None:
    async with both.deployment.channel(both.deployment.approver) as channel:
        await FleetServiceStub(channel).LabelHost(LabelHostRequest(name=name, label="canary"))


@pytest.mark.timeout(300)
async def test_denials_in_the_kernel_halt_it_and_a_rollback_ends_them(servers: Network, tmp_path: Path) -> None:
    async with fleet(tmp_path, _SETTINGS) as both:
        await _label(both, "hall")
        other = Believer(both.deployment, "other", await both.deployment.enrol("other"), tmp_path)
        await other.connect()
        both.start_agent()
        first = (await propose(both.deployment, _OPEN, at_once=True)).policy.version
        await both.until(lambda state: state.proved and state.policy_state.version == first)
        workload = both.tagged(servers["enclave"], "/usr/bin/python3", "-c", _CONNECTING)
        try:
            assert await line(workload) == "0"
            second = (await propose(both.deployment, _CLOSED)).policy.version
            assert await line(workload) == "1"  # EPERM
            async with asyncio.timeout(60):
                while (found := await _rollout(both)).state != Rollout.STATE_HALTED:
                    await asyncio.sleep(0.2)
            assert found.reason.startswith("hall denies more: "), found.reason
            assert (found.version, other.version) == (second, first)
            third = (await propose(both.deployment, _OPEN, at_once=True)).policy.version
            assert await line(workload) == "0"
            await both.until(lambda state: state.proved and state.policy_state.version == third)
            await until(lambda: other.version == third, "the other host gets it too")
            assert (await _rollout(both)).state == Rollout.STATE_DONE
            assert other.doubts == []
        finally:
            end(workload)
            await other.disconnect()

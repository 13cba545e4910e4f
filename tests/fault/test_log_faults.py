"""System calls by which the log is written fail, one after the other: what was acknowledged is there, and verifies."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from grpc.aio import AioRpcError

from landfast.identity import Bundle
from landfast.v1.agent_pb2 import PushRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import CLI, Deployment
from tests.e2e.controller.person import Person

#: What SQLite and the file of the newest checkpoint write by, and how a bad disk answers.
_CALLS = [("fsync", "EIO"), ("fdatasync", "EIO"), ("pwrite64", "ENOSPC"), ("rename", "EIO"), ("ftruncate", "EIO")]
_HOST, _BATCHES = "hall", 6

Enrolled = tuple[Deployment, Bundle]


@pytest.fixture(scope="module")
def enrolled() -> Iterator[Enrolled]:
    """A deployment with a host, stopped."""
    made = Deployment.make()
    made.start()
    host = asyncio.run(made.enrol(_HOST))
    assert made.program
    made.program.stop()
    yield made, host
    made.remove()


@pytest.mark.parametrize("nth", [*range(1, 13), "3+2", "4+3"])
@pytest.mark.parametrize(("call", "error"), _CALLS)
async def test_a_call_that_fails_loses_nothing(
    enrolled: Enrolled, tmp_path: Path, call: str, error: str, nth: int | str
) -> None:
    deployment, host = enrolled[0].copy(), enrolled[1]
    inject = f"inject={call}:error={error}:when={nth}"
    deployment.under = ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
    acknowledged = 0
    try:
        with suppress(RuntimeError):  # it refuses to start: also an answer
            await asyncio.to_thread(deployment.start)
            acknowledged = await _push(deployment, host)
            deployment.kill()
        assert "Traceback" not in deployment.logs[-1].read_text()
        deployment.under = ()
        await asyncio.to_thread(deployment.start)
        assert await asyncio.to_thread(_verified, Person(deployment, tmp_path)) >= acknowledged
    finally:
        deployment.remove()


async def _push(deployment: Deployment, host: Bundle) -> int:
    """The last sequence number that was acknowledged; what is not is sent again, a few times."""
    acknowledged = 0
    for data in Chain(_HOST).batches(_BATCHES):
        for _ in range(3):
            with suppress(AioRpcError):
                async with deployment.channel(host) as channel:
                    stream = AgentServiceStub(channel).Push()
                    await stream.write(PushRequest(batch=data))
                    answer = await stream.read()
                    acknowledged = max(acknowledged, getattr(answer, "acknowledged", 0))
                    break
            await asyncio.sleep(0.2)
        await asyncio.sleep(0.3)
    return acknowledged


def _verified(auditor: Person) -> int:
    """The last sequence number of the host in a log without any findings."""
    auditor.login(auditor.deployment.directory / "first-approver.pem")
    command = [*CLI, "audit", "verify", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, env=auditor.environment, timeout=60)
    found = json.loads(done.stdout)
    assert found["integrity"]["findings"] == []
    assert {each["kind"] for each in found["completeness"]["findings"]} <= {"never-reported"}
    return int(found["hosts"][_HOST]["last_sequence"])

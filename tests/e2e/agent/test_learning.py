"""From audit mode to an allowlist that enforces: a real agent records, the file is drafted, simulated and applied."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.agent.fleet import CLASS, Fleet, fleet
from tests.e2e.controller.person import Person
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, client

AUDIT = f"version: 1\ndata_classes:\n  {CLASS}:\n    mode: audit\n"
NEEDED = [("tcp", str(DATA_CENTRE.ip4), 443), ("tcp", str(DATA_CENTRE.ip6), 443), ("udp", str(DATA_CENTRE.ip4), 5432)]
OTHERS = [("tcp", str(OUTSIDE.ip4), 443), ("tcp", str(DATA_CENTRE.ip4), 5432)]


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path) as made:
        yield made


async def attempt(both: Fleet, network: Network, wanted: list[tuple[str, str, int]]) -> list[str]:
    """What a tagged client in the enclave is told, attempt by attempt."""
    with both.tagged(network["enclave"], "/usr/bin/python3", "-IS", client.__file__, json.dumps(wanted)) as process:
        output, _ = await asyncio.to_thread(process.communicate, None, 60)
    results: list[str] = json.loads(output)
    return results


async def test_what_audit_mode_saw_is_what_the_drafted_allowlist_lets_pass(
    both: Fleet, servers: Network, tmp_path: Path
) -> None:
    person = Person(both.deployment, tmp_path)
    await asyncio.to_thread(person.login, both.deployment.directory / "first-approver.pem")
    both.start_agent()
    await both.until(lambda state: state.connected)
    audit, draft = person.policy(AUDIT), tmp_path / "draft.yaml"
    await asyncio.to_thread(person.run, "policy", "apply", audit, "--reason", "learning", "--wait")
    assert await attempt(both, servers, NEEDED) == ["ok"] * len(NEEDED)
    await both.settled()
    await asyncio.to_thread(person.run, "policy", "suggest", CLASS, "--out", draft)
    draft.write_text(draft.read_text().replace("mode: audit", "mode: enforce"))
    nothing = person.policy(AUDIT.replace("audit", "enforce"))
    found = (await asyncio.to_thread(person.json, "simulate", nothing, status=1))["newly_denied"]
    assert {(each["remote"], each["port"]) for each in found} == {(address, port) for _, address, port in NEEDED}
    assert {(each["host"], each["list"], each["reason"]) for each in found} == {("hall", "allow", "NO_RULE")}
    assert " 0 newly denied" in await asyncio.to_thread(person.says, "simulate", draft)
    await asyncio.to_thread(person.run, "policy", "apply", draft, "--reason", "learned", "--wait")
    assert await attempt(both, servers, NEEDED + OTHERS) == ["ok"] * len(NEEDED) + ["EPERM"] * len(OTHERS)

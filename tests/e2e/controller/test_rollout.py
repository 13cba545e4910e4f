"""Versions that reach the hosts stage by stage. The hosts verify what they are told as agents do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from landfast.v1.audit_pb2 import ControlAction, SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.fleet_pb2 import LabelHostRequest
from landfast.v1.fleet_pb2_grpc import FleetServiceStub
from landfast.v1.rollout_pb2 import GetRolloutRequest, PauseRolloutRequest, ResumeRolloutRequest, Rollout
from landfast.v1.rollout_pb2_grpc import RolloutServiceStub
from tests.e2e.controller.believers import Believer, until
from tests.e2e.controller.deployment import Deployment, code_of, details_of
from tests.e2e.controller.person import POLICY, Person
from tests.e2e.controller.policies import propose

_RUNNING, _HALTED, _DONE = Rollout.STATE_RUNNING, Rollout.STATE_HALTED, Rollout.STATE_DONE
_SETTINGS = """
[rollout]
stages = ["canary", "50%", "all"]
settle = "1s"
lost_after = "6s"
"""


@pytest.fixture(scope="module")
def staged(fresh: Deployment) -> Iterator[Deployment]:
    made = fresh.copy()
    made.settings = _SETTINGS
    try:
        yield made.start()
    finally:
        made.remove()


class Fleet:
    """Some hosts of one controller, the first of them a canary."""

    def __init__(self, deployment: Deployment, directory: Path) -> None:
        self.deployment, self.directory = deployment, directory
        self.hosts: list[Believer] = []

    @property
    def canary(self) -> Believer:
        return self.hosts[0]

    def versions(self) -> list[int]:
        return [host.version for host in self.hosts]

    async def join(self) -> Believer:
        name = self.deployment.name("hall")
        host = Believer(self.deployment, name, await self.deployment.enrol(name), self.directory)
        self.hosts.append(host)
        return await host.connect()

    async def accept(self, *, at_once: bool = False) -> int:
        """Another version."""
        return (await propose(self.deployment, "10.0.0.0/16", at_once=at_once)).policy.version

    async def label(self, host: Believer, name: str = "canary", *, remove: bool = False) -> None:
        async with self.deployment.channel(self.deployment.approver) as channel:
            await FleetServiceStub(channel).LabelHost(LabelHostRequest(name=host.name, label=name, remove=remove))

    async def rollout(self) -> Rollout:
        async with self.deployment.channel(self.deployment.approver) as channel:
            return (await RolloutServiceStub(channel).GetRollout(GetRolloutRequest())).rollout

    async def pause(self) -> None:
        async with self.deployment.channel(self.deployment.approver) as channel:
            await RolloutServiceStub(channel).PauseRollout(PauseRolloutRequest(reason="lunch"))

    async def resume(self) -> None:
        async with self.deployment.channel(self.deployment.approver) as channel:
            await RolloutServiceStub(channel).ResumeRollout(ResumeRolloutRequest(reason="looked at it"))

    async def becomes(self, state: "Rollout.State.ValueType") -> Rollout:
        async with asyncio.timeout(40):
            while (found := await self.rollout()).state != state:
                await asyncio.sleep(0.1)
        return found

    async def have(self, *versions: int) -> None:
        await until(lambda: self.versions() == list(versions), f"{versions}: {self.versions()}")

    async def told(self) -> list[ControlAction]:
        """What the log says of rollouts."""
        async with self.deployment.channel(self.deployment.approver) as channel:
            entries = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
            found = [ControlAction.FromString(entry.control) async for entry in entries if entry.control]
        return [each for each in found if ControlAction.Kind.Name(each.kind).startswith("KIND_ROLLOUT")]


@asynccontextmanager
async def fleet(deployment: Deployment, directory: Path, size: int) -> AsyncIterator[tuple[Fleet, int]]:
    """Connected hosts, all with the version that is the second of the two. Nothing that they are told is unbelievable,
    and no host ever goes back.
    """
    made = Fleet(deployment, directory)
    try:
        for _ in range(size):
            await made.join()
        base = await made.accept(at_once=True)
        await made.have(*[base] * size)
        await made.label(made.canary)
        yield made, base
        for host in made.hosts:
            assert host.doubts == []
            assert host.taken == sorted(host.taken)
    finally:
        for host in made.hosts:
            await host.disconnect()


async def test_stage_by_stage(staged: Deployment, tmp_path: Path) -> None:
    async with fleet(staged, tmp_path, 5) as (made, base):
        away = made.hosts.pop()
        await away.disconnect()
        version = await made.accept()
        reached = []
        async with asyncio.timeout(60):
            while (found := await made.rollout()).state != _DONE:
                assert made.canary.version == version or set(made.versions()) == {base}
                reached.append(sum(each == version for each in made.versions()))
                await asyncio.sleep(0.05)
        await made.have(*[version] * 4)
        assert reached == sorted(reached)
        assert {1, 2} <= set(reached) <= {0, 1, 2, 4}
        assert all(host.proved and host.wanted == version for host in found.hosts if host.live)
        notes = {host.name: host.note for host in found.hosts}
        assert (away.version, notes[away.name]) == (base, "away, not reached yet")
        made.hosts.append(await away.connect())
        await made.have(*[version] * 5)
        stages = [each.text for each in await made.told() if each.subject == str(version)]
        assert stages == [
            f"rollout of policy {version} reaches stage 2 of 3 (50%)",
            f"rollout of policy {version} reaches stage 3 of 3 (all)",
            f"rollout of policy {version} is done: every host that is connected has proved it",
        ]


async def test_a_refusal_halts_it_and_resuming_sets_the_host_aside(staged: Deployment, tmp_path: Path) -> None:
    async with fleet(staged, tmp_path, 3) as (made, base):
        made.canary.refuses = True
        version = await made.accept()
        halted = await made.becomes(_HALTED)
        assert halted.reason == f"{made.canary.name} refused it: map full"
        await asyncio.sleep(1.5)
        assert made.versions() == [base] * 3
        assert (await made.told())[-1].kind == ControlAction.KIND_ROLLOUT_HALTED
        await made.resume()
        await made.becomes(_DONE)
        await made.have(base, version, version)
        notes = {host.name: host.note for host in (await made.rollout()).hosts}
        assert notes[made.canary.name] == "set aside: refused it: map full"


async def test_a_jump_of_denials_halts_it_until_somebody_wants_them(staged: Deployment, tmp_path: Path) -> None:
    async with fleet(staged, tmp_path, 2) as (made, base):
        made.canary.denied = 1000  # before: no reason to halt
        await asyncio.sleep(0.7)
        made.canary.tells.clear()
        version = await made.accept()
        await until(lambda: made.canary.version == version, "the canary has it")
        made.canary.denied += 10_000
        halted = await made.becomes(_HALTED)
        assert halted.reason.startswith(f"{made.canary.name} denies more: 10000 denials in ")
        assert made.versions() == [version, base]
        made.canary.tells.set()
        await made.resume()
        await made.becomes(_DONE)
        await made.have(version, version)


@pytest.mark.long
async def test_a_host_that_is_lost_with_it_halts_it(staged: Deployment, tmp_path: Path) -> None:
    async with fleet(staged, tmp_path, 2) as (made, base):
        made.canary.tells.clear()
        version = await made.accept()
        await until(lambda: made.canary.version == version, "the canary has it")
        await made.canary.disconnect()
        halted = await made.becomes(_HALTED)
        assert halted.reason.startswith(f"{made.canary.name} is lost: ")
        assert made.versions() == [version, base]


@pytest.mark.long
async def test_paused_resumed_and_what_cannot_be(staged: Deployment, tmp_path: Path) -> None:
    async with fleet(staged, tmp_path, 3) as (made, base):
        with pytest.raises(AioRpcError) as failure:
            await made.pause()
        assert code_of(failure) == StatusCode.FAILED_PRECONDITION
        assert "at once" in details_of(failure)
        made.canary.tells.clear()
        version = await made.accept()
        await until(lambda: made.canary.version == version, "the canary has it")
        await made.pause()
        joined = await made.join()
        await until(lambda: joined.version == base, "who joins meanwhile gets what the others have")
        await asyncio.sleep(2)
        assert made.versions() == [version, base, base, base]
        with pytest.raises(AioRpcError) as failure:
            await made.pause()
        assert code_of(failure) == StatusCode.FAILED_PRECONDITION
        made.canary.tells.set()
        await made.resume()
        await made.becomes(_DONE)
        await made.have(*[version] * 4)
        kinds = [each.kind for each in await made.told() if each.subject == str(version)]
        assert kinds[:2] == [ControlAction.KIND_ROLLOUT_PAUSED, ControlAction.KIND_ROLLOUT_RESUMED]


@pytest.mark.long
async def test_killed_in_the_middle_of_a_stage(staged: Deployment, tmp_path: Path) -> None:
    """Before, while and after a stage is given: each host goes on with what it was told."""
    async with fleet(staged, tmp_path, 4) as (made, base):
        version = await made.accept()
        for delay in (0.0, 0.4, 1.2):
            await asyncio.sleep(delay)
            staged.kill()
            held = made.versions()
            await asyncio.to_thread(staged.start)
            assert all(now >= then for now, then in zip(made.versions(), held, strict=True))
        await made.becomes(_DONE)
        await made.have(*[version] * 4)
        assert {each for host in made.hosts for each in host.taken if each >= base} == {base, version}


async def test_a_newer_version_takes_its_place(staged: Deployment, tmp_path: Path) -> None:
    """Hosts that hold three different versions, each told that its own is the newest, get the newest in the end."""
    async with fleet(staged, tmp_path, 4) as (made, base):
        for host in made.hosts[:2]:
            host.tells.clear()
        second = await made.accept()
        await until(lambda: made.canary.version == second, "the canary has the second")
        await made.pause()
        await made.label(made.canary, remove=True)
        await made.label(made.hosts[1])
        third = await made.accept()
        await made.have(second, third, base, base)
        await made.pause()
        for host in made.hosts:
            await host.disconnect()
            host.tells.set()
            await host.connect()
        joined = await made.join()
        await until(lambda: joined.version == base, "who joins meanwhile gets what everybody has")
        assert made.versions() == [second, third, base, base, base]
        await made.resume()
        await made.becomes(_DONE)
        await made.have(*[third] * 5)


async def test_at_once_waits_for_nobody(staged: Deployment, tmp_path: Path) -> None:
    async with fleet(staged, tmp_path, 3) as (made, _):
        made.canary.refuses = True
        await made.accept()
        await made.becomes(_HALTED)
        made.canary.refuses = False
        revoked = await made.accept(at_once=True)
        await made.have(*[revoked] * 3)
        found = await made.becomes(_DONE)
        assert (found.at_once, found.by) == (True, "spiffe://landfast.internal/approver/first-approver")
        joined = await made.join()
        await until(lambda: joined.version == revoked, "who joins gets it too")


async def test_as_people_type_it(staged: Deployment, tmp_path: Path) -> None:
    person = Person(staged, tmp_path)
    person.login(staged.directory / "first-approver.pem")
    async with fleet(staged, tmp_path, 2) as (made, _):

        async def says(*words: str | Path, status: int = 0) -> str:
            done = await asyncio.to_thread(person.run, *words, status=status)
            return done.stdout + done.stderr

        assert "all hosts at once" in await says("rollout", "status")
        assert f"labels of {made.canary.name}: canary, spare\n" == await says(
            "fleet", "label", made.canary.name, "spare"
        )
        assert "is no label" in await says("fleet", "label", made.canary.name, "50%", status=2)
        apply = ("policy", "apply", person.policy(POLICY), "--reason", "a test", "--wait")
        said = await says(*apply)
        assert "in stages (canary, 50%, all): landfast rollout status" in said
        assert "done, stage 3 of 3 (all)" in said
        made.canary.refuses = True
        rule = ("eea-user-data", "192.0.2.0/25", "tcp/443", "--reason", "failover")
        assert "refused it: map full; landfast rollout resume" in await says("allow", "add", *rule, "--wait", status=1)
        found = await asyncio.to_thread(person.json, "rollout", "status", status=1)
        assert (found["state"], found["stage"]) == ("halted", "canary")
        shown = await says("rollout", "status", status=1)
        assert "landfast policy rollback VERSION" in shown
        assert "refused it: map full" in shown
        made.canary.refuses = False
        back = await says("policy", "rollback", str(found["base"]), "--reason", "map full", "--wait")
        assert f"policy {found['version'] + 1} accepted;" in back

"""Whoever holds the controller, its database and its keys can keep hosts on the policy that they have: nothing else."""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from landfast.policy import canonical
from landfast.policy.model import Ports, Rule
from landfast.trust import metadata
from landfast.trust.approvals import Approvals
from landfast.trust.incident import Incident
from landfast.trust.metadata import read_targets
from landfast.trust.verifier import policy_file
from landfast.v1.agent_pb2 import PolicyState
from landfast_agent.enrol import identity_file
from tests.e2e.agent.host import POLICY
from tests.e2e.trust.adversary import Adversary, Captive, captive
from tests.unit.trust.deployment import FOUR_EYES, Deployment, resigned

pytestmark = pytest.mark.long

Forgery = Callable[[Deployment], Mapping[str, bytes]]

WIDE, HELD, NARROW = "10.0.0.0/8", "10.20.0.0/16", "10.20.0.0/17"


def unapproved(deployment: Deployment) -> Mapping[str, bytes]:
    return deployment.release(deployment.policy(WIDE))


def half_approved(deployment: Deployment) -> Mapping[str, bytes]:
    return deployment.release(deployment.policy(WIDE), "alice", "bob")


def approved_by_its_proposer(deployment: Deployment) -> Mapping[str, bytes]:
    return deployment.release(deployment.policy(WIDE), "alice", "carol", proposer="carol")


def signed_by_the_controller(deployment: Deployment) -> Mapping[str, bytes]:
    files = deployment.release(deployment.policy(WIDE), "alice", "carol")
    return files | {"3.targets.json": resigned(files["3.targets.json"], deployment.online)}


def approvals_of_another(deployment: Deployment) -> Mapping[str, bytes]:
    files = deployment.release(deployment.policy(WIDE))
    forged = read_targets(files["3.targets.json"])
    forged.signatures.update(read_targets(files["1.targets.json"]).signatures)
    return files | {"3.targets.json": forged.to_bytes()}


def older(deployment: Deployment) -> Mapping[str, bytes]:
    return deployment.announce(1)


def mixed(deployment: Deployment) -> Mapping[str, bytes]:
    """Version 1 in the place of version 2."""
    files = deployment.announce(2)
    return files | {
        "2.targets.json": files["1.targets.json"],
        "timestamp.json": deployment.announce(3)["timestamp.json"],
    }


def other_bytes(deployment: Deployment) -> Mapping[str, bytes]:
    files = deployment.release(deployment.policy("10.20.0.0/18"), "alice", "carol")
    named = policy_file(canonical.digest(canonical.encode(deployment.policies[-1])))
    return files | {named: canonical.encode(deployment.policy(WIDE))}


def left_out(deployment: Deployment) -> Mapping[str, bytes]:
    files = deployment.release(deployment.policy(WIDE), "alice", "carol")
    return {"timestamp.json": files["timestamp.json"]}


def frozen(deployment: Deployment) -> Mapping[str, bytes]:
    return deployment.announce(2, lifetime=-timedelta(minutes=1))


def own_root(deployment: Deployment) -> Mapping[str, bytes]:
    other = Deployment(Approvals())
    return unapproved(deployment) | {"2.root.json": other.new_root(Approvals(), before=other.current_root())}


def root_by_one_key(deployment: Deployment) -> Mapping[str, bytes]:
    loose = Approvals({"sre": ("alice",)}, {"sre": 1}, {"sre": 1})
    deployment.new_root(loose, by=(0,), before=deployment.current_root())
    return deployment.release(deployment.policy(WIDE), "alice")


def root_without_the_groups(deployment: Deployment) -> Mapping[str, bytes]:
    deployment.people["alice"] = CryptoSigner.generate_ed25519()
    deployment.new_root(FOUR_EYES, before=deployment.current_root())
    return deployment.release(deployment.policy(WIDE), "alice", "carol")


def damaged(deployment: Deployment) -> Mapping[str, bytes]:
    return deployment.announce(2) | {"timestamp.json": b"[" * 100_000}


def hostile_root(deployment: Deployment) -> Mapping[str, bytes]:
    return deployment.announce(2) | {"2.root.json": b'{"signatures":[],"signed":{"_type":"root"}}'}


def renumbered(deployment: Deployment) -> Mapping[str, bytes]:
    """Approvals of version 1, said to be those of version 3."""
    files = unapproved(deployment)
    return {**files, "3.targets.json": files["1.targets.json"]}


def truncated(deployment: Deployment) -> Mapping[str, bytes]:
    files = deployment.release(deployment.policy(WIDE), "alice", "carol")
    return {**files, "3.targets.json": files["3.targets.json"][:-100]}


def approved_elsewhere(deployment: Deployment) -> Mapping[str, bytes]:
    """By people of the same names, in another deployment."""
    other = copy(deployment)
    other.people = Deployment().people
    return other.release(other.policy(WIDE), "alice", "carol")


def signed_by_root_keys(deployment: Deployment) -> Mapping[str, bytes]:
    files = deployment.release(deployment.policy(WIDE), "alice", "carol")
    return {**files, "3.targets.json": resigned(files["3.targets.json"], *deployment.root_keys)}


def announced_by_approvers(deployment: Deployment) -> Mapping[str, bytes]:
    """Approved in truth; but whose word it is that this is the newest, is the controller's."""
    files = deployment.release(deployment.policy(WIDE), "alice", "carol")
    return {**files, **metadata.newest(3, 1000, deployment.people["alice"], timedelta(days=1))}


def root_by_the_controller(deployment: Deployment) -> Mapping[str, bytes]:
    """With the controller's key in the place of a second root key."""
    loose = Approvals({"sre": ("alice",)}, {"sre": 1}, {"sre": 1})
    root = deployment.new_root(loose, approved=("alice", "carol"), before=deployment.current_root())
    files = deployment.release(deployment.policy(WIDE), "alice")
    signers = (deployment.root_keys[0], deployment.online, *(deployment.people[each] for each in ("alice", "carol")))
    return {**files, "2.root.json": resigned(root, *signers)}


def root_left_out(deployment: Deployment) -> Mapping[str, bytes]:
    """Of two roots that follow in order, the second alone."""
    for before in (deployment.current_root(), None):
        newest = before or metadata.read_root(deployment.files["2.root.json"]).signed
        loose = Approvals({"sre": ("alice", "bob")}, {"sre": 1}, {"sre": 1})
        deployment.new_root(loose, approved=("alice", "carol"), before=newest)
    files = dict(deployment.release(deployment.policy(WIDE), "alice"))
    del files["2.root.json"]
    return files


FORGERIES: list[Forgery] = [
    renumbered,
    truncated,
    approved_elsewhere,
    signed_by_root_keys,
    announced_by_approvers,
    root_by_the_controller,
    root_left_out,
    unapproved,
    half_approved,
    approved_by_its_proposer,
    signed_by_the_controller,
    approvals_of_another,
    older,
    mixed,
    other_bytes,
    left_out,
    frozen,
    own_root,
    root_by_one_key,
    root_without_the_groups,
    damaged,
    hostile_root,
]


async def settle(deployment: Deployment, adversary: Adversary) -> None:
    """Version 2 is in force, by honest approvals."""
    for prefix in (HELD, NARROW):
        state = await adversary.send(deployment.release(deployment.policy(prefix), "alice", "carol"))
        assert state.state == PolicyState.STATE_APPLIED, state.reason


def copy(deployment: Deployment) -> Deployment:
    """For one forgery, which leaves the others alone."""
    made = object.__new__(Deployment)
    made.__dict__ |= deployment.__dict__
    made.files, made.policies = dict(deployment.files), list(deployment.policies)
    made.people = dict(deployment.people)
    return made


@pytest.mark.timeout(600)
async def test_nothing_that_a_stolen_controller_says_opens_anything(tmp_path: Path) -> None:
    deployment = Deployment()
    async with captive(tmp_path, deployment.root) as (adversary, made):
        await settle(deployment, adversary)
        before, reasons = made.loaded(), []
        assert before.version == 2
        wide = canonical.encode(deployment.policy(WIDE))
        attempts = {each.__name__: each(copy(deployment)) for each in FORGERIES} | {"bare": {}}
        for name, proof in attempts.items():
            state = await adversary.send(proof, wide, version=3)
            assert state.state == PolicyState.STATE_REJECTED, name
            assert made.loaded() == before, name
            reasons.append(state.reason)
        assert {each["reason"] for each in await made.refusals()} == set(reasons)
        fresh = await adversary.send(deployment.announce(2))
        assert (fresh.state, fresh.version) == (PolicyState.STATE_APPLIED, 2), "the host still listens"


@pytest.mark.timeout(600)
async def test_a_host_that_is_enrolled_again_still_knows_what_it_had(tmp_path: Path) -> None:
    """By the root that it believed: what is older stays older, and what was refused is refused."""
    deployment = Deployment()
    async with captive(tmp_path, deployment.root) as (adversary, made):
        await settle(deployment, adversary)
        before = made.loaded()
        made.kill()
        adversary.connected.clear()
        identity_file(made.host.instance.state).unlink()
        (await made.enrol(deployment.root)).check_returncode()
        await made.start()
        wide = canonical.encode(deployment.policy(WIDE))
        for forgery in (older, mixed, unapproved, frozen):
            state = await adversary.send(forgery(copy(deployment)), wide, version=3)
            assert state.state == PolicyState.STATE_REJECTED, forgery.__name__
            assert made.loaded().digest == before.digest
        state = await adversary.send(deployment.announce(2))
        assert (state.state, state.version) == (PolicyState.STATE_APPLIED, 2)


@pytest.mark.timeout(600)
async def test_a_broken_glass_is_neither_broken_again_nor_replayed(tmp_path: Path) -> None:
    deployment = Deployment(breakers=("olga",))

    def opened(prefix: str) -> Mapping[str, bytes]:
        now = int(time.time())
        rule = Rule(prefix, (Ports(6, 443, 443),), "hall 2 is down", "INC-7", now + 3600)
        return deployment.break_glass(deployment.with_rules(rule), Incident(now, {"eu": (rule,)}))

    async with captive(tmp_path, deployment.root) as (adversary, made):
        await settle(deployment, adversary)
        glass = opened("192.0.2.0/25")
        assert (await adversary.send(glass)).state == PolicyState.STATE_APPLIED
        broken = made.loaded()
        honest = copy(deployment)
        assert (await adversary.send(opened("198.51.100.0/25"))).state == PolicyState.STATE_REJECTED
        assert made.loaded() == broken
        honest._newest = deployment._newest
        review = await adversary.send(honest.release(honest.policy(NARROW), "alice"))
        assert (review.state, review.version) == (PolicyState.STATE_APPLIED, 4), review.reason
        reviewed = made.loaded()
        for files in (glass, honest.announce(3), {**honest.announce(5), "5.targets.json": glass["3.targets.json"]}):
            assert (await adversary.send(files)).state == PolicyState.STATE_REJECTED
            assert made.loaded() == reviewed
        assert len({each["reason"] for each in await made.refusals()}) >= 3


@pytest.mark.timeout(600)
async def test_a_refusal_that_is_repeated_is_counted(tmp_path: Path) -> None:
    deployment = Deployment()
    async with captive(tmp_path, deployment.root) as (adversary, made):
        for _ in range(23):
            assert (await adversary.send({}, version=7)).state == PolicyState.STATE_REJECTED
        assert len(await made.refusals()) == 1
        async with asyncio.timeout(90):
            while len(found := await made.refusals()) < 2:
                await asyncio.sleep(2)
        assert found[-1]["times"] == "22"


async def test_a_token_without_root_metadata_is_refused(tmp_path: Path) -> None:
    adversary = Adversary()
    async with adversary.listening():
        done = await Captive(tmp_path, adversary).enrol(b"")
    assert done.returncode == 2
    assert "carries no root metadata" in done.stderr


@pytest.mark.timeout(600)
async def test_a_host_that_was_on_its_own_begins_anew(tmp_path: Path) -> None:
    """Whatever its own versions are numbered: they are set aside, and their policy goes on until one is approved."""
    deployment, adversary = Deployment(), Adversary()
    made = Captive(tmp_path, adversary)
    state = made.host.instance.state
    async with adversary.listening():
        try:
            for prefix in (HELD, NARROW):
                made.host.policy.write_text(POLICY.replace("10.20.0.0/16", prefix))
                await made.start("--policy", made.host.policy)
                made.kill()
            own = made.loaded()
            (await made.enrol(deployment.root)).check_returncode()
            await made.start()
            assert (made.loaded(), own.version) == (own, 2)
            answer = await adversary.send(deployment.release(deployment.policy(WIDE), "alice", "carol"))
            assert (answer.state, made.loaded().version) == (PolicyState.STATE_APPLIED, 1), answer.reason
            [aside] = state.glob("policies-until-*")
            assert sorted(path.name for path in aside.iterdir()) == ["1.json", "2.json"]
        finally:
            made.end()


@pytest.mark.timeout(600)
async def test_killed_while_policies_come_it_starts_with_one_that_is_proved(tmp_path: Path) -> None:
    """And without the controller. What stands on the disk unproved is told, passed over and kept."""
    deployment, chance = Deployment(), random.Random(4)
    async with captive(tmp_path, deployment.root) as (adversary, made):
        applied = 0
        for _ in range(5):
            pushing = asyncio.create_task(_push(deployment, adversary))
            await asyncio.sleep(0.5 + chance.random())
            made.kill()
            pushing.cancel()
            await asyncio.wait([pushing])
            adversary.connected.clear()
            await made.start()
            version = made.loaded().version
            assert applied <= version <= len(deployment.policies)
            assert not await made.refusals()
            applied = version
        assert applied > 5
        await _start_with_a_forged_file(deployment, adversary, made)


async def _push(deployment: Deployment, adversary: Adversary) -> None:
    """One version after the other, as fast as the host takes them."""
    await adversary.connected.wait()
    while True:
        prefix = f"10.{len(deployment.policies) % 200}.0.0/16"
        state = await adversary.send(deployment.release(deployment.policy(prefix), "alice", "carol"))
        assert state.state == PolicyState.STATE_APPLIED, state.reason


async def _start_with_a_forged_file(deployment: Deployment, adversary: Adversary, made: Captive) -> None:
    held = made.loaded()
    made.kill()
    store = made.host.instance.state / "policies"
    newest = len(deployment.policies)
    forged = canonical.encode(deployment.policy(WIDE))
    (store / f"{newest + 1}.json").write_bytes(forged)
    (store / f"{newest + 2}.json").write_bytes(forged)
    (store / f"{newest + 2}.targets.json").write_bytes((store / f"{held.version}.targets.json").read_bytes())
    await made.start()
    assert made.loaded().digest == held.digest
    reasons = [each["reason"] for each in await made.refusals()]
    assert [("nothing proves" in each, "not the one" in each) for each in reasons] == [(False, True), (True, False)]
    assert (store / f"{newest + 1}.json").read_bytes() == forged

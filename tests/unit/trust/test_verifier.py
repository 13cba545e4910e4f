"""A host believes what was approved, and nothing else: the other side here is a controller in an attacker's hands."""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from landfast.policy import canonical
from landfast.trust.approvals import Approvals
from landfast.trust.errors import TrustError
from landfast.trust.verifier import Verifier, policy_file
from tests.unit.trust.deployment import FOUR_EYES, YEAR, Deployment, resigned
from tests.unit.trust.host import Host


@pytest.fixture(params=[(), ("olga",)], ids=["", "break-glass"])
def deployment(request: pytest.FixtureRequest) -> Deployment:
    """Also one where somebody may break the glass: for everything else that changes nothing."""
    return Deployment(breakers=request.param)


@pytest.fixture
def host(deployment: Deployment, tmp_path: Path) -> Host:
    return Host(tmp_path / "trust", deployment)


@pytest.fixture
def settled(deployment: Deployment, host: Host) -> Host:
    """Version 1 is in force."""
    assert host.take(deployment.release(deployment.policy("10.0.0.0/16"), "alice", "carol")) == 1
    return host


def test_what_enough_people_approve_is_taken(deployment: Deployment, settled: Host) -> None:
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/8"), "bob", "carol")) == 2


@pytest.mark.parametrize("by", [(), ("alice",), ("alice", "bob"), ("carol",)])
def test_a_widening_without_one_of_each_group_is_refused(
    deployment: Deployment, settled: Host, by: tuple[str, ...]
) -> None:
    settled.refuses(deployment.release(deployment.policy("10.0.0.0/8"), *by), "approval|signed")


def test_the_proposer_does_not_count(deployment: Deployment, settled: Host) -> None:
    wider = deployment.policy("10.0.0.0/8")
    settled.refuses(deployment.release(wider, "alice", "carol", proposer="alice"), "1 of sre")


def test_the_first_policy_of_a_host_takes_all_approvals(deployment: Deployment, host: Host) -> None:
    host.refuses(deployment.release(deployment.policy("10.0.0.0/16"), "alice"), "1 of privacy")


def test_narrowing_takes_fewer(deployment: Deployment, settled: Host) -> None:
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "alice")) == 2


def test_halves_are_no_widening_and_what_was_never_allowed_is(deployment: Deployment, settled: Host) -> None:
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/17", "10.0.128.0/17"), "alice")) == 2
    settled.refuses(deployment.release(deployment.policy("10.0.0.0/17", "10.1.0.0/24"), "alice"), "widens version 2")


def test_approvals_that_come_late_are_enough(deployment: Deployment, settled: Host) -> None:
    wider = deployment.policy("10.0.0.0/8")
    settled.refuses(deployment.release(wider, "alice"), "1 of privacy")
    files = deployment.files
    late = resigned(files["2.targets.json"], deployment.people["alice"], deployment.people["carol"])
    assert settled.take(files | {"2.targets.json": late}) == 2


def test_a_host_that_was_away_judges_what_it_missed_step_by_step(deployment: Deployment, settled: Host) -> None:
    deployment.release(deployment.policy("10.0.0.0/8"), "alice", "carol")
    deployment.release(deployment.policy("10.0.0.0/9"), "bob")
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/10"), "alice")) == 4


def test_a_new_host_begins_with_what_all_have_approved_and_narrows_it(deployment: Deployment, host: Host) -> None:
    deployment.release(deployment.policy("10.0.0.0/16"), "alice", "carol")
    for length in range(17, 23):
        deployment.release(deployment.policy(f"10.0.0.0/{length}"), "bob")
    assert host.take(deployment.files) == 7
    del deployment.files["4.targets.json"]
    other = Host(host.verifier.directory.parent / "other", deployment)
    other.refuses(deployment.files, "policy 5 is the first that this host has; missing approvals")


def test_a_step_that_was_not_approved_approves_nothing_after_it(deployment: Deployment, settled: Host) -> None:
    deployment.release(deployment.policy("10.0.0.0/8"), "alice")
    settled.refuses(deployment.release(deployment.policy("10.0.0.0/9"), "alice"), "widens version 1|missing approvals")


# the controller's own keys, stolen


def test_an_older_policy_is_refused(deployment: Deployment, settled: Host) -> None:
    settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "alice"))
    settled.refuses(deployment.announce(1), "version")


def test_older_metadata_is_refused(deployment: Deployment, settled: Host) -> None:
    before = dict(deployment.files)
    settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "alice"))
    with pytest.raises(TrustError):
        settled.take(before)
    assert settled.policy
    assert settled.policy.version == 2


def test_a_policy_in_place_of_the_approved_one_is_refused(deployment: Deployment, settled: Host) -> None:
    files = deployment.release(deployment.policy("10.0.0.0/17"), "alice")
    digest = canonical.digest(canonical.encode(deployment.policies[-1]))
    wider = canonical.encode(deployment.policies[-1]).replace(b"10.0.0.0/17", b"10.0.0.0/8")
    settled.refuses(files | {policy_file(digest): wider}, "not those that were approved")


def test_the_controllers_keys_approve_nothing(deployment: Deployment, settled: Host) -> None:
    files = deployment.release(deployment.policy("10.0.0.0/8"), "alice", "carol")
    settled.refuses(files | {"2.targets.json": resigned(files["2.targets.json"], deployment.online)}, "signed")


def test_approvals_of_one_version_are_none_of_another(deployment: Deployment, settled: Host) -> None:
    settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "alice", "carol"))
    old, wider = deployment.files["2.targets.json"], deployment.policy("10.0.0.0/8")
    files = deployment.release(wider)
    settled.refuses(files | {"3.targets.json": old}, "Expected targets v3")


def test_signatures_moved_to_another_draft_are_worth_nothing(deployment: Deployment, settled: Host) -> None:
    from landfast.trust.metadata import read_targets

    deployment.release(deployment.policy("10.0.0.0/17"), "alice", "carol")
    signed = read_targets(deployment.files["2.targets.json"])
    deployment.policies.pop()
    files = deployment.release(deployment.policy("10.0.0.0/8"))
    forged = read_targets(files["2.targets.json"])
    forged.signatures.update(signed.signatures)
    settled.refuses(files | {"2.targets.json": forged.to_bytes()}, "signed")


def test_a_root_of_the_attackers_own_is_refused(deployment: Deployment, settled: Host) -> None:
    other = Deployment(Approvals())
    forged = other.new_root(Approvals(), before=other.current_root())
    files = deployment.release(deployment.policy("10.0.0.0/8"), "alice")
    settled.refuses(files | {"2.root.json": forged}, "missing approvals|signed")


def test_one_root_key_is_not_enough(deployment: Deployment, settled: Host) -> None:
    deployment.new_root(FOUR_EYES, by=(0,), before=deployment.current_root())
    settled.refuses(deployment.release(deployment.policy("10.0.0.0/17"), "alice"), "signed")


def test_root_keys_alone_do_not_change_who_approves(deployment: Deployment, settled: Host) -> None:
    loose = Approvals({"sre": ("alice",)}, {"sre": 1}, {"sre": 1})
    deployment.new_root(loose, before=deployment.current_root())
    settled.refuses(deployment.release(deployment.policy("10.0.0.0/8"), "alice"), "changes who approves.*1 of sre")


def test_root_keys_alone_do_not_add_an_approver(deployment: Deployment, settled: Host) -> None:
    deployment.people["alice"] = CryptoSigner.generate_ed25519()
    deployment.new_root(FOUR_EYES, before=deployment.current_root())
    settled.refuses(deployment.release(deployment.policy("10.0.0.0/8"), "alice", "carol"), "changes who approves")


def test_root_keys_and_the_current_groups_change_who_approves(deployment: Deployment, settled: Host) -> None:
    loose = Approvals({"sre": ("alice",)}, {"sre": 1}, {"sre": 1})
    deployment.new_root(loose, approved=("bob", "carol"), before=deployment.current_root())
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/8"), "alice")) == 2


def test_root_keys_are_replaced_by_two_of_them(deployment: Deployment, settled: Host) -> None:
    lost, deployment.root_keys[2] = deployment.root_keys[2], CryptoSigner.generate_ed25519()
    deployment.new_root(FOUR_EYES, before=deployment.current_root())
    assert settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "alice")) == 2
    assert lost.public_key.keyid not in settled.verifier.root.keys


@pytest.mark.parametrize("missing", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_what_is_left_out_is_refused(deployment: Deployment, settled: Host, missing: str) -> None:
    files = deployment.release(deployment.policy("10.0.0.0/17"), "alice")
    del files[missing]
    settled.refuses(files, missing.removesuffix(".json"))


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-2], lambda data: b"", lambda data: b"[" * 100_000, lambda data: b"\xff" + data]
)
@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json", "2.root.json"])
def test_damaged_files_are_refused(
    deployment: Deployment, settled: Host, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    deployment.new_root(FOUR_EYES, before=deployment.current_root())
    files = deployment.release(deployment.policy("10.0.0.0/17"), "alice")
    settled.refuses(files | {name: spoil(files[name])}, "metadata")


@pytest.mark.parametrize("seed", range(5))
def test_no_alteration_of_a_bundle_does_more_than_have_it_refused(
    deployment: Deployment, settled: Host, seed: int
) -> None:
    """Of files that nobody has signed: an error of another kind would end the agent."""
    chance = random.Random(seed)
    deployment.new_root(FOUR_EYES, before=deployment.current_root())
    files = deployment.release(deployment.policy("10.0.0.0/17"), "alice")
    for _ in range(20):
        name = chance.choice([each for each in files if not each.endswith("policy.json")])
        with suppress(TrustError):
            assert settled.verifier.accept(files | {name: _altered(files[name], chance)}, settled.held, time.time())


def _altered(data: bytes, chance: random.Random) -> bytes:
    """With one of its values replaced by something else, or left out."""
    made = json.loads(data)
    at = made
    while (inner := [key for key, value in at.items() if isinstance(value, dict) and value]) and chance.random() < 0.8:
        at = at[chance.choice(inner)]
    key = chance.choice([*at])
    at[key] = chance.choice([None, {}, [], "", -1, 10**30, {"": {}}, ["x"], 0.5])
    if chance.random() < 0.3:
        del at[key]
    return json.dumps(made).encode()


# time


def test_a_timestamp_that_has_expired_is_refused(deployment: Deployment, settled: Host) -> None:
    deployment.release(deployment.policy("10.0.0.0/17"), "alice")
    settled.refuses(deployment.announce(2, lifetime=-timedelta(hours=1)), "expired")
    assert settled.verifier.expires()


def test_a_policy_that_has_expired_is_refused(deployment: Deployment, settled: Host) -> None:
    files = deployment.release(deployment.policy("10.0.0.0/17"), "alice", lifetime=-timedelta(hours=1))
    settled.refuses(files, "expired")


def test_the_same_policy_with_a_newer_timestamp_lasts_longer(deployment: Deployment, settled: Host) -> None:
    before = settled.verifier.expires()
    assert settled.take(deployment.announce(1, lifetime=YEAR)) == 1
    after = settled.verifier.expires()
    assert before
    assert after
    assert after > before


# what a host keeps


def test_the_stored_policy_is_proved_again(deployment: Deployment, settled: Host, tmp_path: Path) -> None:
    again, proof = Verifier(tmp_path / "trust"), deployment.files["1.targets.json"]
    again.prove(canonical.encode(deployment.policies[0]), proof)
    with pytest.raises(TrustError, match="not the one"):
        again.prove(canonical.encode(deployment.policy("10.0.0.0/8")), proof)


def test_a_proof_that_was_altered_proves_nothing(deployment: Deployment, settled: Host) -> None:
    forged = resigned(deployment.files["1.targets.json"], deployment.online)
    with pytest.raises(TrustError, match="nobody has approved"):
        settled.verifier.prove(canonical.encode(deployment.policies[0]), forged)


def test_what_was_approved_under_a_root_that_was_replaced_stays_proved(deployment: Deployment, settled: Host) -> None:
    fingerprint = settled.verifier.fingerprint
    settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "alice"))
    narrowed, proof = canonical.encode(deployment.policies[-1]), deployment.files["2.targets.json"]
    deployment.people["alice"] = CryptoSigner.generate_ed25519()
    deployment.new_root(FOUR_EYES, approved=("bob", "carol"), before=deployment.current_root())
    settled.take(deployment.release(deployment.policy("10.0.0.0/18"), "alice"))
    settled.verifier.prove(narrowed, proof)
    assert settled.verifier.root.version == 2
    assert settled.verifier.fingerprint == fingerprint


def test_a_refused_bundle_leaves_no_trace(deployment: Deployment, settled: Host, tmp_path: Path) -> None:
    def kept() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}

    before = kept()
    settled.refuses(deployment.release(deployment.policy("10.0.0.0/8"), "alice"), "1 of privacy")
    assert kept() == before


# enrolled again


def test_enrolled_again_a_host_takes_nothing_older(deployment: Deployment, settled: Host) -> None:
    settled.take(deployment.release(deployment.policy("10.0.0.0/17"), "alice"))
    Verifier.establish(settled.verifier.directory, deployment.root)
    settled.refuses(deployment.announce(1), "version")


def test_enrolled_again_by_an_older_root_a_host_goes_on_with_the_newer_one(
    deployment: Deployment, settled: Host
) -> None:
    deployment.people["alice"] = CryptoSigner.generate_ed25519()
    approved = ("bob", "carol")
    deployment.new_root(FOUR_EYES, approved=approved, before=deployment.current_root())
    settled.take(deployment.release(deployment.policy("10.1.0.0/17"), "bob", "carol"))
    made = Verifier.establish(settled.verifier.directory, deployment.root)
    assert made.root.version == 2


def test_enrolled_in_another_deployment_a_host_begins_anew(deployment: Deployment, settled: Host) -> None:
    assert settled.verifier.expires() is not None
    made = Verifier.establish(settled.verifier.directory, Deployment().root)
    assert made.expires() is None
    assert made.root.version == 1


@pytest.mark.parametrize("damaged", ["root.json", "timestamp.json"])
def test_enrolled_again_with_what_cannot_be_read_a_host_begins_anew(
    deployment: Deployment, settled: Host, damaged: str
) -> None:
    (settled.verifier.directory / damaged).write_bytes(b"{")
    made = Verifier.establish(settled.verifier.directory, deployment.root)
    assert (made.expires(), made.root.version) == (None, 1)

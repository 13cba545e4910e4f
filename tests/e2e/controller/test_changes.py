"""Nobody widens an allowlist alone: proposals, approvals and root metadata, as people type them."""

import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from landfast.trust.verifier import Verifier, policy_file
from landfast.v1.agent_pb2 import Hello, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from tests.e2e.controller.deployment import Deployment
from tests.e2e.controller.person import Person

_CLASS, _GLASS = "eea-user-data", "glass.key"


class Team(NamedTuple):
    """Olga proposes. Alice and Bob are sre, Carol is privacy: a widening takes one of each, a narrowing one of sre.

    Olga and Bob may break the glass.
    """

    deployment: Deployment
    olga: Person
    alice: Person
    bob: Person
    carol: Person


def _joined(first: Person, name: str, role: str) -> tuple[Person, str]:
    """Somebody with an identity, and with a key if they approve; logged in. Also gives the public key."""
    person = Person(first.deployment, first.home.parent / name)
    person.home.mkdir()
    identity, key, public = person.home / f"{name}.pem", person.home / f"{name}.key", ""
    first.run("identity", "create", name, "--role", role, "--out", identity)
    if role == "approver":
        public = person.says("key", "create", key, "--no-passphrase").strip()
    person.login(identity)
    return person, public


def _glass(*people: Person) -> list[str]:
    """Options that let these people break the glass, each with a key of their own."""
    made = ((each.home.name, each.says("key", "create", each.home / _GLASS, "--no-passphrase")) for each in people)
    return [word for name, public in made for word in ("--break-glass", f"{name}={public.strip()}")]


def _root(first: Person, *options: str, by: tuple[str | Path, ...], status: int) -> str:
    """Drafts a root, has it signed, and tries to publish it; what was said of that."""
    file, offline = first.home / "next.root.json", first.deployment.directory / "offline"
    first.run("trust", "draft", *options, "--out", file)
    for key in by:
        first.run("trust", "sign", file, "--key", offline / key if isinstance(key, str) else key)
    published = first.run("trust", "publish", file, status=status)
    file.unlink()
    return published.stdout + published.stderr


@pytest.fixture(scope="module")
def team(fresh: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    deployment = fresh.copy().start()
    first = Person(deployment, tmp_path_factory.mktemp("people") / "first")
    first.home.mkdir()
    first.login(deployment.directory / "first-approver.pem")
    first.run("policy", "apply", first.policy(), "--reason", "first")
    olga, _ = _joined(first, "olga", "operator")
    (alice, a), (bob, b), (carol, c) = (_joined(first, name, "approver") for name in ("alice", "bob", "carol"))
    approvers = [
        word for name, key in (("alice", a), ("bob", b), ("carol", c)) for word in ("--approver", f"{name}={key}")
    ]
    groups = ("--group", "sre=alice,bob", "--group", "privacy=carol", "--widening", "sre=1,privacy=1")
    options = (*approvers, "--remove-approver", "first-approver", *groups, "--narrowing", "sre=1", *_glass(olga, bob))
    own = deployment.directory / "first-approver.key"
    assert "missing approvals" in _root(first, *options, by=("root-1.key", "root-2.key"), status=2)
    assert "signed by 1/2" in _root(first, *options, by=("root-1.key", own), status=2)
    assert _root(first, *options, by=("root-1.key", "root-3.key", own), status=0) == "root 2 is in force\n"
    yield Team(deployment, olga, alice, bob, carol)
    deployment.remove()


def _proposed(person: Person, prefix: str, verb: str = "add") -> int:
    """The number of a new change."""
    said = person.says("allow", verb, _CLASS, prefix, "tcp/443", "--reason", "a test")
    assert said.startswith("change "), said
    return int(said.split()[1])


def _version(person: Person) -> int:
    version: int = person.json("policy", "history")[0]["version"]
    return version


def test_a_widening_takes_one_of_each_group(team: Team) -> None:
    before, number = _version(team.olga), _proposed(team.olga, "192.0.2.0/25")
    assert "waits for  1 of privacy (carol) and 1 of sre (alice, bob); " in team.olga.says(
        "change", "show", str(number)
    )
    listed = team.olga.says("change", "list")
    assert "1 of privacy (carol) and 1 of sre (alice, bob)" in listed
    assert "waits for 1 of privacy (carol): " in team.alice.says("change", "approve", str(number))
    assert "1 of privacy (carol)\n" in re.sub(r" +\n", "\n", team.olga.says("change", "list"))
    assert _version(team.olga) == before
    shown = team.carol.says("change", "show", str(number))
    assert "it widens in 1 way:" in shown
    assert "192.0.2.0/25" in shown
    assert "1 of privacy" in shown
    assert "0 decisions: " in team.carol.says("change", "show", str(number), "--impact")
    assert f"policy {before + 1} accepted" in team.carol.says("change", "approve", str(number))
    assert _version(team.olga) == before + 1
    assert team.olga.json("policy", "history")[0]["approvers"] == ["alice", "carol"]


def test_two_of_one_group_are_not_enough(team: Team) -> None:
    before, number = _version(team.olga), _proposed(team.olga, "192.0.2.128/25")
    team.alice.run("change", "approve", str(number))
    assert "1 of privacy" in team.bob.says("change", "approve", str(number))
    assert _version(team.olga) == before
    team.olga.run("change", "withdraw", str(number), "--reason", "not needed")


def test_a_narrowing_takes_one(team: Team) -> None:
    number = _proposed(team.olga, "198.51.100.0/24")
    team.bob.run("change", "approve", str(number))
    team.carol.run("change", "approve", str(number))
    before, number = _version(team.olga), _proposed(team.olga, "198.51.100.0/24", "remove")
    assert "1 of sre" in team.carol.says("change", "approve", str(number))
    assert "it widens nothing" in team.alice.says("change", "approve", str(number))
    assert _version(team.olga) == before + 1


def test_ones_own_approval_does_not_count(team: Team) -> None:
    before, number = _version(team.olga), _proposed(team.alice, "192.0.2.128/25")
    assert team.alice.json("change", "show", str(number))["approvers"] == ["alice"]
    assert "alice (alice has proposed it, and does not count)" in team.carol.says("change", "show", str(number))
    again = team.alice.run("change", "approve", str(number))
    assert "waits for 1 of privacy (carol) and 1 of sre (bob): " in again.stdout
    assert "you have proposed this: your approval does not count" in again.stderr
    assert "1 of sre" in team.carol.says("change", "approve", str(number))
    assert _version(team.olga) == before
    assert f"policy {before + 1} accepted" in team.bob.says("change", "approve", str(number))


def test_another_version_voids_what_is_open(team: Team) -> None:
    first, second = _proposed(team.olga, "203.0.113.0/26"), _proposed(team.olga, "203.0.113.64/26")
    team.alice.run("change", "approve", str(first))
    team.alice.run("change", "approve", str(second))
    team.carol.run("change", "approve", str(second))
    assert team.olga.json("change", "show", str(first))["state"] == "overtaken"
    assert "overtaken" in team.carol.complains("change", "approve", str(first), status=1)


def test_what_was_rejected_cannot_be_approved(team: Team) -> None:
    number = _proposed(team.olga, "203.0.113.128/26")
    team.carol.run("change", "reject", str(number), "--reason", "far too wide")
    assert "rejected" in team.alice.complains("change", "approve", str(number), status=1)
    ended = {each["id"]: each for each in team.olga.json("change", "list", "--all")}
    assert (ended[number]["state"], ended[number]["closed_why"]) == ("rejected", "far too wide")
    assert number not in {each["id"] for each in team.olga.json("change", "list")}


def test_an_operator_withdraws_only_changes_of_their_own(team: Team) -> None:
    number = _proposed(team.alice, "203.0.113.192/27")
    assert "alice" in team.olga.complains("change", "withdraw", str(number), "--reason", "mine?", status=3)
    team.alice.run("change", "withdraw", str(number), "--reason", "the wrong hall")


def test_what_nobody_approves_expires(fragile: Deployment, tmp_path: Path) -> None:
    person = Person(fragile, tmp_path / "first")
    person.home.mkdir()
    person.login(fragile.directory / "first-approver.pem")
    person.run("policy", "apply", person.policy(), "--reason", "first")
    olga, _ = _joined(person, "olga", "operator")
    number = _proposed(olga, "192.0.2.0/25")
    fragile.kill()
    with closing(sqlite3.connect(fragile.directory / "landfast.db")) as database, database:
        database.execute("UPDATE changes SET expires_ns = ? WHERE id = ?", (time.time_ns(), number))
    fragile.start()
    assert olga.json("change", "show", str(number))["state"] == "expired"
    assert "is expired; propose it again" in person.complains("change", "approve", str(number), status=1)
    withdrawn = olga.complains("change", "withdraw", str(number), "--reason", "late", status=1)
    assert "has expired; propose it again" in withdrawn
    assert _version(person) == 1


def test_what_was_accepted_is_taken_back_by_another_version(team: Team) -> None:
    number = max(each["id"] for each in team.olga.json("change", "list", "--all") if each["state"] == "accepted")
    for verb, words in (("approve", ()), ("withdraw", ("--reason", "late"))):
        assert "landfast policy rollback" in team.alice.complains("change", verb, str(number), *words, status=1)


def test_somebody_elses_key_is_refused(team: Team) -> None:
    number, key = _proposed(team.olga, "203.0.113.224/27"), team.bob.home / "bob.key"
    assert "not one of alice's" in team.alice.complains("change", "approve", str(number), "--key", key, status=3)
    team.olga.run("change", "withdraw", str(number), "--reason", "over")


def test_an_operator_approves_nothing(team: Team) -> None:
    number, key = _proposed(team.olga, "203.0.113.224/28"), team.alice.home / "alice.key"
    assert "may not call" in team.olga.complains("change", "approve", str(number), "--key", key, status=3)
    team.olga.run("change", "withdraw", str(number), "--reason", "over")


def _broken(person: Person, prefix: str, key: Path, status: int = 0) -> str:
    """Opens a prefix at once; what was said of that."""
    why = ("--reason", "hall 2 is down", "--ticket", "INC-7", "--key", key)
    done = person.run("break-glass", "open", _CLASS, prefix, "tcp/443", *why, status=status)
    return done.stdout + done.stderr


def test_what_is_no_emergency_is_refused(team: Team) -> None:
    before, key = _version(team.olga), team.olga.home / _GLASS
    assert "wider than /24" in _broken(team.olga, "192.0.0.0/16", key, status=2)
    assert "no break-glass key of alice" in _broken(team.alice, "192.0.3.0/26", key, status=2)
    assert "no break-glass key of bob" in _broken(team.bob, "192.0.3.0/26", team.bob.home / "bob.key", status=2)
    assert _version(team.olga) == before
    assert "nobody has broken the glass" in team.olga.complains("break-glass", "review", "--reason", "x", status=1)


def test_the_glass_is_broken_once_and_reviewed_by_others(team: Team) -> None:
    before, bobs = _version(team.olga), team.bob.home / _GLASS
    assert f"policy {before + 1} accepted" in _broken(team.bob, "192.0.3.64/26", bobs)
    found = team.olga.json("break-glass", "status")
    assert (found["broken"], sorted(found["keys"])) == (True, ["bob", "olga"])
    assert (found["by"], found["ticket"], found["over"]) == ("approver/bob", "INC-7", False)
    assert found["rules"] == [{"class": _CLASS, "to": "192.0.3.64/26", "ports": ["tcp/443"]}]
    logged = team.olga.says("events", "follow", "--no-follow", "--format", "json").splitlines()
    [told] = [each for each in map(json.loads, logged) if each.get("action") == "BREAK_GLASS"]
    assert told["text"].startswith(f"bob broke the glass: {_CLASS} to 192.0.3.64/26 tcp/443 until ")

    again = "the glass is broken already, by bob: that must be reviewed first: landfast break-glass review"
    assert again in _broken(team.olga, "192.0.3.0/26", team.olga.home / _GLASS, status=1)
    kept = team.olga.json("break-glass", "review", "--keep", "--reason", "it stays")
    assert len(kept["widens"]) == 1
    shown = team.alice.says("change", "show", str(kept["id"]))
    assert f"it reviews version {before + 1}, in which bob broke the glass" in shown
    assert "waits for  1 of privacy (carol) and 1 of sre (alice); " in shown, "not bob, who broke it"
    number = team.olga.json("break-glass", "review", "--reason", "hall 2 is back")["id"]
    assert "1 of sre" in team.bob.says("change", "approve", str(number))
    assert "it widens nothing" in team.alice.says("change", "approve", str(number))
    assert _version(team.olga) == before + 2

    assert f"policy {before + 3} accepted" in _broken(team.olga, "192.0.3.0/26", team.olga.home / _GLASS)


def test_who_approves_and_who_may_break_the_glass_is_in_the_log(team: Team) -> None:
    logged = team.olga.says("events", "follow", "--no-follow", "--format", "json").splitlines()
    first, second = [each for each in map(json.loads, logged) if each.get("action") == "ROOT_PUBLISHED"]
    assert first["text"] == "root 1: approvers first-approver; break-glass (none); groups (none)"
    shown, told = team.olga.json("trust", "show"), second["fields"]
    assert (told["fingerprint"], told["approvers"], told["break_glass"]) == (
        shown["fingerprint"],
        "alice, bob, carol",
        "bob, olga",
    )
    assert told["groups"] == "privacy=carol, sre=alice+bob"
    assert (told["widening"], told["narrowing"]) == ("privacy=1, sre=1", "sre=1")


async def test_what_hosts_are_sent_is_believed_by_who_trusts_the_first_root(team: Team, tmp_path: Path) -> None:
    """The controller's bundles, as an agent verifies them: also by one that has missed everything so far."""
    deployment = team.deployment
    verifier = Verifier.establish(tmp_path / "trust", (deployment.directory / "1.root.json").read_bytes())
    number = _proposed(team.olga, "198.51.100.128/25")
    team.bob.run("change", "approve", str(number))
    team.carol.run("change", "approve", str(number))
    async with deployment.channel(await deployment.enrol("believer")) as channel:
        stream: Any = AgentServiceStub(channel).Sync()
        await stream.write(SyncRequest(hello=Hello()))
        policy = (await stream.read()).policy
    files = dict(policy.proof) | {policy_file(policy.digest): policy.canonical}
    assert verifier.accept(files, None, time.time())
    assert verifier.root.version == 2

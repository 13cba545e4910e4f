"""`landfast` as people type it, against a real controller."""

import asyncio
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from landfast.identity import Bundle, certificate_of, spiffe_id_of
from landfast.v1.agent_pb2 import Hello, PolicyState, PushRequest, SyncRequest
from landfast.v1.agent_pb2_grpc import AgentServiceStub
from landfast_controller.authority import Authority
from tests.e2e.controller.batches import Chain
from tests.e2e.controller.deployment import CLI, Deployment
from tests.e2e.controller.person import POLICY, Person
from tests.testbed import eventually


@pytest.fixture(scope="module")
def approver(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Person:
    person = Person(deployment, tmp_path_factory.mktemp("approver"))
    person.login(deployment.directory / "first-approver.pem")
    return person


def test_an_allowlist_from_the_first_file_to_a_rollback(fragile: Deployment, tmp_path: Path) -> None:
    person = Person(fragile, tmp_path)
    person.login(fragile.directory / "first-approver.pem")
    assert "last approver" in person.complains("identity", "revoke", "first-approver", status=1)
    assert "no policy yet" in person.complains("policy", "show", status=2)
    is_first = "is the first policy, and takes the approvals of one that widens\n"
    assert person.says("policy", "diff", person.policy()).endswith(f"\n{is_first}")
    first = person.says("policy", "apply", person.policy(), "--reason", "first")
    assert first == f"policy 1 accepted; it {is_first}"
    assert "nothing to do" in person.says("policy", "apply", person.policy(), "--reason", "again")
    rule = ("eea-user-data", "192.0.2.0/25", "tcp/443,udp/8000-8100")
    added = person.says("allow", "add", *rule, "--reason", "failover", "--ticket", "NET-1412", "--expires", "4h")
    assert added.startswith("policy 2 accepted; it widens in 1 way:\n  eea-user-data allow: 192.0.2.0/25 tcp/443,udp/")
    listed = person.json("allow", "list")
    assert [each["to"] for each in listed] == ["10.20.0.0/16", "192.0.2.0/25"]
    assert listed[1]["ports"] == ["tcp/443", "udp/8000-8100"]
    assert listed[1]["ticket"] == "NET-1412"
    assert "already" in person.complains("allow", "add", *rule, "--reason", "again", status=2)
    assert "rule added" not in person.says("policy", "diff", person.policy())
    difference = person.says("policy", "diff", person.policy()).splitlines()
    assert difference[0].startswith("rule removed: eea-user-data allow 192.0.2.0/25")
    assert difference[1:] == ["widens nothing"]
    audited = person.policy(POLICY.replace("mode: enforce", "mode: audit"))
    assert person.says("policy", "diff", audited).endswith("widens in 1 way:\n  eea-user-data mode: enforce -> audit\n")
    found = person.json("policy", "diff", audited)
    assert [change["kind"] for change in found["changes"]] == ["setting-changed", "rule-removed"]
    assert found["widens"] == [{"data_class": "eea-user-data", "key": "mode", "item": "enforce -> audit"}]
    assert found["warnings"] == []
    wide = person.policy(POLICY.replace("10.20.0.0/16", "10.0.0.0/8"))
    assert [each["kind"] for each in person.json("policy", "diff", wide)["warnings"]] == ["wide", "special-purpose"]
    person.run("allow", "remove", *rule, "--reason", "over", "--wait")
    assert "no rule" in person.complains("allow", "remove", *rule, "--reason", "over", status=2)
    back = person.json("policy", "rollback", "2", "--reason", "not over")
    assert (back["version"], [each["key"] for each in back["widens"]]) == (4, ["allow"])
    assert person.json("allow", "list") == listed
    history = person.json("policy", "history")
    assert [(each["version"], each["reason"]) for each in history] == [
        (4, "not over"),
        (3, "over"),
        (2, "failover"),
        (1, "first"),
    ]
    shown = tmp_path / "shown.yaml"
    shown.write_text(person.says("policy", "show", "--version", "2"))
    assert shown.read_text().startswith("# policy 2, ")
    assert person.says("policy", "diff", shown) == "no difference\n"
    assert person.json("policy", "show")["policy"]["version"] == 4


def test_validate_needs_no_controller_and_names_file_line_and_remedy(deployment: Deployment, tmp_path: Path) -> None:
    person = Person(deployment, tmp_path)
    assert "1 data classes, 1 rules" in person.says("policy", "validate", person.policy())
    doubled = person.policy(POLICY + "      - {to: 10.20.1.0/24, ports: [tcp/443], reason: again}\n")
    warned = person.run("policy", "validate", doubled).stderr
    assert f"warning: {doubled}:6: data_classes.eea-user-data.allow[0]: 10.20.0.0/16 tcp/443,tcp/5432 lies in" in warned
    found = person.json("policy", "validate", doubled)
    assert (found["data_classes"], found["rules"]) == (1, 2)
    assert [(each["kind"], each["line"]) for each in found["warnings"]] == [
        ("special-purpose", 6),
        ("special-purpose", 9),
        ("shadowed", 9),
    ]
    wrong = person.policy(POLICY.replace("10.20.0.0/16", "10.20.0.1/16"))
    error = person.complains("policy", "validate", wrong, status=2)
    assert f"{wrong}:6: " in error
    assert "10.20.0.0/16" in error
    person.complains("policy", "validate", tmp_path / "missing.yaml", status=3)


def test_identities(approver: Person, tmp_path: Path) -> None:
    out, other = tmp_path / "vera.pem", tmp_path / "other.pem"
    approver.run("identity", "create", "cli-vera", "--role", "auditor", "--lifetime", "30d", "--out", out)
    assert str(spiffe_id_of(certificate_of(Bundle.read(out)))) == "spiffe://landfast.internal/auditor/cli-vera"
    assert out.stat().st_mode & 0o777 == 0o600
    assert "exists" in approver.complains("identity", "create", "x", "--role", "auditor", "--out", out, status=2)
    approver.complains("identity", "create", "cli-vera", "--role", "operator", "--out", other, status=1)
    assert not other.exists()
    vera = Person(approver.deployment, tmp_path / "vera")
    vera.home.mkdir()
    vera.login(out)
    assert "may not call" in vera.complains("identity", "list", status=3)
    approver.run("identity", "revoke", "cli-vera")
    assert "revoked" in vera.complains("fleet", "list", status=3)
    found = {each["name"]: each["state"] for each in approver.json("identity", "list")}
    assert found["cli-vera"] == "revoked"
    assert found["first-approver"] == "valid"


def test_login_remembers_only_what_works(deployment: Deployment, tmp_path: Path) -> None:
    person = Person(deployment, tmp_path)
    assert "landfast login" in person.complains("fleet", "list", status=3)
    elsewhere = Person(Deployment(deployment.directory, port=1), tmp_path)
    assert "nobody listens" in elsewhere.login(deployment.directory / "first-approver.pem", status=3).stderr
    assert "not an identity file" in person.login(person.policy(), status=2).stderr
    late = tmp_path / "late.pem"
    deployment.forged("spiffe://landfast.internal/approver/late", timedelta(seconds=-1)).write(late)
    assert "expired" in person.login(late, status=3).stderr
    stranger = tmp_path / "stranger.pem"
    other = Authority.create("landfast.internal")
    good = deployment.approver
    Bundle(good.key, good.certificate, other.pem).write(stranger)
    assert "not the controller of this identity's deployment" in person.login(stranger, status=3).stderr
    other_client = deployment.forged("spiffe://landfast.internal/approver/x", timedelta(hours=1), other)
    other_client.write(stranger)
    assert "closed the connection" in person.login(stranger, status=3).stderr
    assert not (tmp_path / "config.toml").exists()


async def test_a_token_made_by_the_cli_enrols_a_host(approver: Person, tmp_path: Path) -> None:
    token, host = tmp_path / "token.pem", approver.deployment.name("host")
    made = approver.says("fleet", "token", "create", "--host", host, "--lifetime", "10m", "--out", token)
    assert host in made
    await approver.deployment.enrol(host, Bundle.read(token))
    assert host in approver.says("fleet", "list")
    assert approver.says("fleet", "show", host).startswith(f"host        {host}, enrolled ")
    assert approver.json("fleet", "show", host)["connected"] is False
    assert "landfast fleet list" in approver.complains("fleet", "show", "nobody", status=2)


async def _hosts(deployment: Deployment, name: str, state: PolicyState.State.ValueType) -> None:
    """An agent that answers every policy at once with `state`; proves it when that is APPLIED."""
    from landfast.policy import canonical
    from landfast.policy.tables import compile_policy

    async with deployment.channel(await deployment.enrol(name)) as channel:
        stream: Any = AgentServiceStub(channel).Sync()
        await stream.write(SyncRequest(hello=Hello(kernel="6.18")))
        while True:
            policy = (await stream.read()).policy
            tables = compile_policy(canonical.decode(policy.canonical), policy.digest)
            answer = PolicyState(version=policy.version, state=state, digest=policy.digest, reason="map full")
            answer.map_digest = tables.digest
            await stream.write(SyncRequest(policy_state=answer))


async def test_hosts_are_shut_out_and_come_back(approver: Person, tmp_path: Path) -> None:
    host = approver.deployment.name("cli-host")
    await approver.deployment.enrol(host)
    why = ("--reason", "its disk was stolen")
    assert f"landfast fleet unban {host}" in approver.says("fleet", "ban", host, *why)
    assert f"its disk was stolen{chr(10)}" in approver.says("fleet", "show", host)
    assert approver.json("fleet", "show", host)["ban"]["reason"] == "its disk was stolen"
    assert "banned" in approver.says("fleet", "list")
    assert "is banned already" in approver.complains("fleet", "ban", host, *why, status=1)
    assert "banned besides" in approver.says("fleet", "evict", host, *why)
    assert f"token create --host {host}" in approver.says("fleet", "unban", host, *why)
    assert approver.json("fleet", "show", host)["identity_expires"] is None
    assert "evicted" in approver.says("fleet", "list")
    approver.complains("fleet", "unban", "nobody", *why, status=2)


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        (PolicyState.STATE_APPLIED, 0, "proved by hall"),
        (PolicyState.STATE_REJECTED, 1, "hall (map full)"),
        (PolicyState.STATE_RECEIVED, 1, "not proved within 1 s by hall"),
    ],
)
async def test_wait_ends_with_the_hosts_answer(
    fragile: Deployment, tmp_path: Path, state: PolicyState.State.ValueType, status: int, words: str
) -> None:
    person = Person(fragile, tmp_path)
    person.login(fragile.directory / "first-approver.pem")
    agent = asyncio.ensure_future(_hosts(fragile, "hall", state))
    try:
        while not any(host["connected"] for host in await asyncio.to_thread(person.json, "fleet", "list")):
            await asyncio.sleep(0.05)
        apply = ("policy", "apply", person.policy(), "--reason", "first", "--wait", "--timeout", "1")
        done = await asyncio.to_thread(person.run, *apply, status=status)
        assert words in done.stderr
    finally:
        agent.cancel()
        await asyncio.gather(agent, return_exceptions=True)


async def _push(deployment: Deployment, bundle: Bundle, *batches: bytes) -> None:
    async with deployment.channel(bundle) as channel:
        stream: Any = AgentServiceStub(channel).Push()
        for data in batches:
            await stream.write(PushRequest(batch=data))
            await stream.read()


async def test_events_filtered_as_text_and_json(approver: Person) -> None:
    host = approver.deployment.name("host")
    await _push(approver.deployment, await approver.deployment.enrol(host), *Chain(host).batches(3))
    text = approver.says("events", "follow", "--no-follow", "--verdict", "denied", "--host", host)
    lines = text.splitlines()
    assert len(lines) == 15
    words = f"{host} DENY  eea-user-data curl[4711] -> 203.0.113.9:443/tcp  NO_RULE policy 1"
    shown = re.fullmatch(rf"(\d+) 1970-01-01 00:00:00.000 {re.escape(words)}", lines[0])
    assert shown, lines[0]
    follow = ("events", "follow", "--no-follow", "--format", "json", "--host", host)
    events = [json.loads(line) for line in approver.says(*follow).splitlines()]
    decisions = [event for event in events if event["kind"] == "decision"]
    assert decisions[0]["index"] == int(shown[1])
    assert [event["id"] for event in decisions] == [f"{host}/{number}" for number in range(1, 16)]
    assert any(event["kind"] == "control" and event["subject"] == host for event in events)
    rest = approver.says(*follow, "--from", str(decisions[5]["index"]), "--class", "eea-user-data").splitlines()
    assert [json.loads(line)["id"] for line in rest] == [event["id"] for event in decisions[5:]]
    assert approver.says("events", "follow", "--no-follow", "--verdict", "allowed", "--host", host) == ""
    ocsf = approver.says("events", "follow", "--no-follow", "--format", "ocsf", "--host", host, "--verdict", "denied")
    assert [json.loads(line)["metadata"]["uid"] for line in ocsf.splitlines()] == [event["id"] for event in decisions]
    assert approver.says(*follow, "--destination", "203.0.113.8/29", "--process", "curl").count("\n") == 15
    assert approver.says(*follow, "--destination", "203.0.113.0/29") == ""
    assert approver.says(*follow, "--process", "rsync") == ""
    assert approver.says("events", "follow", "--no-follow", "--from", "2999-01-01T00:00:00Z") == ""
    assert "the log holds 0 to " in approver.complains("events", "follow", "--from", "999999", status=2)


@pytest.fixture
def follower(fragile: Deployment, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """`landfast events follow --from 0 --format json`, its output in `events`."""
    person = Person(fragile, tmp_path)
    person.login(fragile.directory / "first-approver.pem")
    command = [*CLI, "events", "follow", "--from", "0", "--format", "json"]
    with (tmp_path / "events").open("w") as out, (tmp_path / "errors").open("w") as errors:
        program = subprocess.Popen(command, stdout=out, stderr=errors, text=True, env=person.environment)
        yield program
        program.kill()
        program.wait()


async def test_follow_survives_killed_controllers_without_loss_or_repetition(
    fragile: Deployment, follower: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    bundle, chain = await fragile.enrol("hall"), Chain("hall")
    while not (tmp_path / "events").read_text():
        await asyncio.sleep(0.05)
    for _ in range(2):
        await _push(fragile, bundle, *chain.batches(11, events=7))
        fragile.kill()
        await asyncio.to_thread(fragile.start)
    await _push(fragile, bundle, *chain.batches(11, events=7))
    expected = [f"hall/{number}" for number in range(1, 3 * 11 * 7 + 1)]
    deadline = time.monotonic() + 20
    while len(_ids(tmp_path)) < len(expected) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert _ids(tmp_path) == expected
    follower.send_signal(signal.SIGINT)
    assert follower.wait(5) == 0
    errors = (tmp_path / "errors").read_text()
    assert "lost; trying again" in errors
    assert errors.splitlines()[-1].startswith("landfast: continue with --from ")


def _ids(directory: Path) -> list[str]:
    lines = (directory / "events").read_text().splitlines()
    return [event["id"] for event in map(json.loads, lines) if event["kind"] == "decision"]


def test_every_command_has_help_with_examples_and_answers_at_once(deployment: Deployment, tmp_path: Path) -> None:
    import click

    from landfast_cli.main import commands

    def walk(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
        yield words, command
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                yield from walk(child, (*words, name))

    found = list(walk(commands, ()))
    assert len(found) > 20
    for words, command in found:
        assert "Examples:" in (command.epilog or ""), words
        assert command.help, words
    person = Person(deployment, tmp_path)  # other tests may run beside: not every time
    eventually(lambda: _seconds(person, "policy", "apply", "--help") < 0.3 * 3, "an answer at once", 60)


def _seconds(person: Person, *words: str) -> float:
    started = time.monotonic()
    person.run(*words)
    return time.monotonic() - started


def test_a_reader_that_goes_away_is_no_error(approver: Person) -> None:
    head = subprocess.run(
        f"{CLI[0]} events follow --no-follow --format json | head -n 1",
        shell=True,
        check=False,
        capture_output=True,
        text=True,
        env=approver.environment,
        timeout=30,
    )
    assert head.stdout.count("\n") == 1
    assert "Traceback" not in head.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("allow", "add", "eea-user-data"),
        ("fleet", "explode"),
        ("allow", "add", "c", "10.0.0.1/8", "tcp/443", "--reason", "x"),
        ("allow", "add", "c", "10.0.0.0/8", "tcp/0", "--reason", "x"),
        ("allow", "add", "c", "10.0.0.0/8", "tcp/443", "--reason", "x", "--expires", "tomorrow"),
        ("allow", "add", "c", "10.0.0.0/8", "tcp/443"),
        ("events", "follow", "--from", "yesterday"),
        ("events", "follow", "--destination", "10.0.0.1/8"),
        ("identity", "create", "bob", "--role", "king", "--out", "x"),
        ("policy", "show", "--version", "0"),
    ],
)
def test_bad_input_is_status_2(approver: Person, words: tuple[str, ...]) -> None:
    approver.run(*words, status=2)

"""The host's commands as an administrator meets them: what they print, what they refuse, and with which status."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from landfast import batch, event_key
from landfast_agent.spool_file import history
from tests.e2e.agent.host import LONG, POLICY, Host
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Program, eventually
from tests.testbed.leftovers import remove_instance

IN, OUT = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)
COMMANDS = ("run", "exec", "tag", "ps", "status", "doctor", "explain", "events", "enroll", "unload")


@pytest.fixture(scope="module")
def workload(host: Host, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A program of a long name that carries all classes."""
    where = tmp_path_factory.mktemp("workload")
    program = Path(shutil.copy(shutil.which("sleep") or "", where / "a-long-name-for-a-program"))
    with Program(host.tagged(program, "100", classes=f"eu,billing,{LONG}"), where / "log", host.where) as running:
        eventually(lambda: "a-long-name" in host.run("ps").stdout, "it is tagged")
        yield running


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("ps",),
        ("doctor",),
        ("explain", "--class", f"eu,billing,{LONG}", "2001:db8:20:ffff:ffff:ffff:ffff:ffff", "tcp/65535"),
        ("explain", "--class", f"eu,billing,{LONG}", "127.0.0.1", "tcp/443"),
    ],
    ids=" ".join,
)
def test_what_is_printed_fits_80_columns(host: Host, workload: Program, words: tuple[str, ...]) -> None:
    done = host.run(*words, env=os.environ | {"COLUMNS": "80"})
    assert done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_status_tells_what_is_enforced(host: Host, workload: Program) -> None:
    found = host.json("status")
    assert host.run("status").returncode == (1 if found["problems"] else 0) == 0
    assert (found["policy"]["version"], sorted(found["policy"]["classes"])) == (1, sorted(["billing", LONG, "eu"]))
    assert [hook["problem"] for hook in found["hooks"]] == [""] * len(found["hooks"])
    assert found["tagged_processes"] >= 1
    assert found["daemon"]["uplink"] is None


def test_status_tells_the_key_by_which_the_host_signs(host: Host) -> None:
    key = host.json("status")["event_key"]
    assert f"event key   {key}" in host.run("status").stdout
    signed = [batch.is_signed_by(event_key.parse(key), data) for data in history(host.instance.state / "spool.sqlite")]
    assert signed == [True] * len(signed)
    assert signed


def test_a_damaged_event_key_ends_no_enforcement_and_is_told(fresh: Host) -> None:
    fresh.instance.state.mkdir(parents=True)
    (fresh.instance.state / "event.key").write_bytes(b"damaged")
    with fresh.start():
        found = fresh.json("status")
        assert [each for each in found["problems"] if "event.key" in each and "batches wait, unsigned" in each]
        assert fresh.run("explain", "--class", "eu", OUT, "tcp/443").returncode == 1
        assert (fresh.instance.state / "event.key").read_bytes() == b"damaged"
        assert fresh.notices("POLICY_APPLIED")


def test_ps_tells_who_is_tagged_and_why(host: Host, workload: Program) -> None:
    (row,) = [row for row in host.json("ps") if row["pid"] == workload.pid]
    assert (row["user"], row["why"], sorted(row["classes"])) == ("root", "explicit", sorted(["billing", LONG, "eu"]))
    assert str(workload.pid) in host.run("ps").stdout


def test_doctor_finds_this_host_fit(host: Host) -> None:
    done = host.run("doctor", "--json")
    assert done.returncode == 0
    assert all(finding["ok"] for finding in json.loads(done.stdout) if finding["fatal"])
    assert host.run("doctor").stdout.endswith("This host can enforce.\n")


@pytest.mark.parametrize(
    ("classes", "destination", "port", "verdict", "reason", "missing"),
    [
        ("eu", "10.20.0.5", "tcp/443", "ALLOW", "RULE", []),
        ("eu", "2001:db8:20::5", "tcp/443", "ALLOW", "RULE", []),
        ("eu", "::ffff:10.20.0.5", "tcp/443", "ALLOW", "RULE", []),
        ("eu", "10.20.0.5", "udp/443", "DENY", "NO_RULE", ["eu"]),
        ("billing", IN, "tcp/5432", "ALLOW", "RULE", []),
        ("eu,billing", IN, "tcp/5432", "DENY", "NO_RULE", ["eu"]),
        ("eu,billing", "10.20.0.5", "tcp/443", "DENY", "NO_RULE", ["billing"]),
        (LONG, OUT, "tcp/443", "WOULD_DENY", "NO_RULE", [LONG]),
        ("eu", "127.0.0.1", "tcp/443", "DENY", "UNTAGGED_PEER", ["eu"]),
    ],
)
def test_explain_tells_the_verdict(
    host: Host, classes: str, destination: str, port: str, verdict: str, reason: str, missing: list[str]
) -> None:
    done = host.run("explain", "--class", classes, destination, port, "--json")
    found = json.loads(done.stdout)
    assert (found["verdict"], found["reason"], found["missing"]) == (verdict, reason, missing)
    assert done.returncode == (1 if verdict == "DENY" else 0)
    assert bool(found["rules"]) == (verdict == "ALLOW")


def test_explain_and_the_kernel_agree(host: Host, servers: Network) -> None:
    wanted = [("tcp", address, port) for address in (IN, OUT) for port in (443, 5432)]
    explained = [
        host.run("explain", "--class", "eu", address, f"{way}/{port}").returncode for way, address, port in wanted
    ]
    assert [{0: "ok", 1: "EPERM"}[status] for status in explained] == host.attempt(*wanted)


def test_events_tell_each_of_23_denials(host: Host, servers: Network) -> None:
    port = 4711
    assert host.attempt(*[("tcp", OUT, port)] * 23) == ["EPERM"] * 23

    def denials() -> list[tuple[str, str, list[str], str]]:
        mine = [event for event in host.events("--denied") if event["port"] == port]
        return [(event["verdict"], event["remote"], event["classes"], event["process"]["name"]) for event in mine]

    eventually(lambda: len(denials()) >= 23, "they are stored")
    assert denials() == [("DENY", OUT, ["eu"], "python3")] * 23
    assert host.run("events", "--denied", "--last", "3").stdout.count(f"-> {OUT}:{port}/tcp  NO_RULE policy 1") == 3


def test_events_name_classes_also_where_nothing_was_decided(host: Host, workload: Program) -> None:
    started = [event for event in host.events() if event.get("process", {}).get("pid") == workload.pid]
    assert started
    assert {tuple(sorted(event["classes"])) for event in started} == {tuple(sorted(["billing", LONG, "eu"]))}


def test_tag_tells_what_it_tagged(host: Host, tmp_path: Path) -> None:
    with Program(["sleep", "100"], tmp_path / "log") as process:
        found = host.json("tag", str(process.pid), "--class", "eu")
        assert (found["processes"], found["ended"]) == ([process.pid], [])
        assert process.pid in [row["pid"] for row in host.json("ps")]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(host: Host, name: str) -> None:
    done = host.run(name, "--help")
    assert done.returncode == 0
    assert (
        f"Examples:\n    landfast-agent {name} " in done.stdout
        or f"Examples:\n    landfast-agent {name}\n" in done.stdout
    )


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("frobnicate",), 2, "the commands are run, exec, tag"),
        (("exec", "--class", "eu"), 2, "Missing argument 'CMD"),
        (("explain", "--class", ",", IN, "tcp/443"), 2, "use --class NAME[,NAME]"),
        (("explain", "--class", "us", IN, "tcp/443"), 2, "no data class 'us'; the classes are"),
        (("explain", "--class", "eu", "10.20.0.0/16", "tcp/443"), 2, "give one address"),
        (("explain", "--class", "eu", "db.internal", "tcp/443"), 2, "give one address"),
        (("explain", "--class", "eu", IN, "443"), 2, "write e.g. tcp/443"),
        (("explain", "--class", "eu", IN, "tcp/1-2"), 2, "one port"),
        (("explain", "--class", "eu", IN, "tcp/65536"), 2, "ports are 1 to 65535"),
        (("tag", "1", "--class", "eu"), 1, "PID 1"),
        (("tag", "0", "--class", "eu"), 2, "x>=1"),
        (("tag", "4194304", "--class", "eu"), 2, "give the id of a running process"),
        (("tag", "2", "--class", "us"), 2, "the classes are"),
        (("unload",), 2, "--reason"),
        (("unload", "--reason", " "), 2, "say why enforcement ends"),
        (("events", "--last", "-1"), 2, "x>=0"),
        (("run", "--config", "/nonexistent"), 2, "give the path of a configuration file to --config"),
        (("run", "--policy", "/nonexistent"), 1, "runs already"),
        (("enroll", "--controller", "127.0.0.1:1", "--token-file", "/nonexistent"), 2, "--token-file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_input_is_refused_with_a_remedy(host: Host, words: tuple[str, ...], status: int, says: str) -> None:
    done = host.run(*words)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["run", "ps", "status", "doctor", "events"])
def test_what_needs_root_says_so(host: Host, name: str) -> None:
    done = host.where.run(["setpriv", "--reuid=65534", "--clear-groups", *host.command(name)])
    assert done.returncode == 3
    assert "run it with sudo" in done.stderr


@pytest.mark.parametrize(
    "words",
    [("status",), ("ps",), ("explain", "--class", "eu", IN, "tcp/443"), ("events",), ("tag", "2", "--class", "eu")],
    ids=" ".join,
)
def test_an_instance_that_was_never_loaded_is_named(fresh: Host, words: tuple[str, ...]) -> None:
    done = fresh.run(*words)
    assert done.returncode == 3
    assert fresh.instance.name in done.stderr
    assert not fresh.instance.state.exists()


@pytest.mark.parametrize("name", ["Upper", "two words", "../up", "", "x" * 32])
def test_an_instance_name_that_cannot_be_is_refused(host: Host, name: str) -> None:
    done = host.where.run([host.command()[0], "--instance", name, "status"])
    assert (done.returncode, "use 1 to 31 of a-z" in done.stderr) == (2, True)


def test_instances_are_apart(host: Host, servers: Network, tmp_path: Path) -> None:
    """Another instance with another policy: loading, tagging and unloading it changes nothing here."""
    other = Host(servers["enclave"], tmp_path, POLICY.replace("  eu:\n", "  apac:\n").replace("10.20.0.0/16", OUT))
    before, tagged = host.json("status"), {row["pid"] for row in host.json("ps")}
    try:
        with other.start():
            assert other.attempt(("tcp", OUT, 443), ("tcp", IN, 443), classes="apac") == ["ok", "EPERM"]
            assert host.attempt(("tcp", OUT, 443), ("tcp", IN, 443)) == ["EPERM", "ok"]
            assert other.json("ps") == []
            assert other.run("unload", "--reason", "a test").returncode == 0
            after = host.json("status")
            assert (after["hooks"], after["policy"]) == (before["hooks"], before["policy"])
            assert {row["pid"] for row in host.json("ps")} == tagged
            assert host.attempt(("tcp", OUT, 443), ("tcp", IN, 443)) == ["EPERM", "ok"]
    finally:
        remove_instance(other.instance.name)

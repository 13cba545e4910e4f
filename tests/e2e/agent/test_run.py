"""The daemon's life: starts, refusals, reloads, ends of every kind, and what stays enforced."""

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from landfast import batch, event_key
from landfast.event import Event
from landfast.v1.batch_pb2 import Notice, NoticeKind
from tests.e2e.agent.host import POLICY, Host
from tests.e2e.controller.deployment import Deployment
from tests.e2e.uplink.logs import audited, logged
from tests.testbed import DATA_CENTRE, OUTSIDE, Namespace, Network, Program, Sniffer, eventually
from tests.testbed.bpf_objects import pinned, remaining
from tests.testbed.leftovers import remove_instance

IN, OUT = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)
NARROW = POLICY.replace("10.20.0.0/16, ports: [tcp/443]", "10.20.0.0/16, ports: [tcp/5432]")
BAD = POLICY.replace("ports: [tcp/443], reason: replication", "ports: [], reason: replication", 1)

RESTLESS = ["sh", "-c", "while sleep 0.05; do curl -s -o /dev/null --max-time 0.5 http://$0/; done", OUT]


@pytest.fixture
def fresh(servers: Network, fresh: Host) -> Host:
    """With servers to talk to."""
    return fresh


def version(host: Host) -> int:
    return int(host.json("status")["policy"]["version"])


def denials(host: Host) -> int:
    return int(host.json("status")["counters"]["connect"]["denied"])


def reload(host: Host, program: Program, policy: str) -> None:
    host.policy.write_text(policy)
    program.process.send_signal(signal.SIGHUP)


def test_without_policy_it_runs_and_nobody_can_be_tagged(fresh: Host, tmp_path: Path) -> None:
    with fresh.start("--config", "/dev/null") as program:
        assert "enrol this host" in program.output
        found = fresh.json("status")
        assert "no policy is loaded: every tagged process is denied everything" in found["problems"]
        done = fresh.exec("touch", tmp_path / "started")
        assert (done.returncode, "landfast-agent run --policy FILE" in done.stderr) == (125, True)
        assert not (tmp_path / "started").exists()
        assert program.stop() == 0


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (BAD, r"\.yaml:5:.*ports"),
        (POLICY + "colour: blue\n", r"\.yaml:12:.*colour"),
        ("data_classes: [", r"\.yaml:1:"),
        ("", "version"),
        ("\0", r"\.yaml"),
    ],
    ids=["no ports", "unknown key", "not YAML", "empty", "control character"],
)
def test_a_malformed_policy_loads_nothing(fresh: Host, policy: str, says: str) -> None:
    fresh.policy.write_text(policy)
    done = fresh.run("run", "--policy", fresh.policy)
    assert done.returncode == 2
    assert re.search(says, done.stderr)
    assert "Traceback" not in done.stderr
    assert not fresh.instance.pins.exists()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("colour = 1\n", "colour"),
        ("ring_bytes = 'big'\n", "ring_bytes"),
        ("ring_bytes = 65537\n", "use a power of two of at least 65536"),
        ("ring_bytes = \n", "see `landfast-agent run --help` for the keys"),
        ("policy = '/nonexistent'\n", "give a readable policy file"),
    ],
)
def test_a_malformed_configuration_loads_nothing(fresh: Host, tmp_path: Path, config: str, says: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(config)
    done = fresh.run("run", "--config", path)
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr
    assert not fresh.instance.pins.exists()


def test_a_second_daemon_is_refused_and_harms_nothing(fresh: Host) -> None:
    other = fresh.directory / "other.yaml"
    other.write_text(NARROW)
    with fresh.start():
        before = fresh.json("status")
        done = fresh.run("run", "--policy", other)
        assert (done.returncode, "runs already: stop it first, or use another --instance" in done.stderr) == (1, True)
        after = fresh.json("status")
        assert (after["policy"], after["daemon"]["pid"]) == (before["policy"], before["daemon"]["pid"])


def test_sighup_reads_the_file_again(fresh: Host) -> None:
    wanted = [("tcp", IN, 443), ("tcp", IN, 5432)]
    with fresh.start() as program:
        assert fresh.attempt(*wanted) == ["ok", "EPERM"]
        reload(fresh, program, NARROW)
        eventually(lambda: version(fresh) == 2, "version 2 is in force")
        assert fresh.attempt(*wanted) == ["EPERM", "ok"]
        reload(fresh, program, BAD)
        eventually(lambda: ".yaml:5:" in program.output, "the bad file is named with its line")
        assert (version(fresh), fresh.attempt(*wanted)) == (2, ["EPERM", "ok"])
        reload(fresh, program, NARROW)
        reload(fresh, program, POLICY)
        eventually(lambda: version(fresh) == 3, "version 3 is in force")
        assert fresh.attempt(*wanted) == ["ok", "EPERM"]
        assert program.process.poll() is None
    applied = fresh.notices("POLICY_APPLIED")
    assert [event["fields"]["version"] for event in applied] == ["1", "2", "3"]
    assert len({event["fields"]["digest"] for event in applied}) == 3
    assert all(f"(digest {event['fields']['digest'][:16]})" in event["text"] for event in applied)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_enforcement_goes_on_when_the_daemon_ends(fresh: Host, servers: Network, end: signal.Signals) -> None:
    with (
        Sniffer(servers.router, "enclave") as sniffer,
        fresh.start() as daemon,
        Program(fresh.tagged(*RESTLESS), fresh.directory / "client", fresh.where) as program,
    ):
        eventually(lambda: denials(fresh) > 3, "it is denied")
        before = fresh.json("status")
        daemon.process.send_signal(end)
        assert daemon.wait() == (-end if end == signal.SIGKILL else 0)
        after = fresh.json("status")
        assert (after["hooks"], after["policy"]) == (before["hooks"], before["policy"])
        assert "the daemon is not running" in after["problems"][0]
        assert program.pid in [row["pid"] for row in fresh.json("ps")]
        assert fresh.run("explain", "--class", "eu", OUT, "tcp/80").returncode == 1
        passed = denials(fresh)
        eventually(lambda: denials(fresh) > passed + 3, "it is denied still")
        with fresh.start():
            assert fresh.json("status")["policy"] == before["policy"]
            assert program.pid in [row["pid"] for row in fresh.json("ps")]
        assert sniffer.frames() == []


def _detach(host: Host) -> None:
    (host.instance.pins / "links" / "lf_connect4").unlink(missing_ok=True)


def test_a_hook_that_is_missing_is_mended_by_a_restart(fresh: Host) -> None:
    fresh.start().kill()
    _detach(fresh)
    with fresh.start():
        assert fresh.run("status").returncode == 0
        assert fresh.exec("true").returncode == 0


def test_unload_leaves_nothing_behind_and_the_agent_can_be_started_at_once(fresh: Host) -> None:
    with fresh.start() as daemon:
        objects = pinned(fresh.instance.pins)
        assert len({kind for kind, _ in remaining(objects)}) == 3
        with Program(fresh.tagged("sleep", "100"), fresh.directory / "client", fresh.where):
            done = fresh.run("unload", "--reason", "a test of it")
            assert (done.returncode, "is unloaded" in done.stdout) == (0, True), done.stderr
        assert not fresh.instance.pins.exists()
        with fresh.start():
            assert fresh.attempt(("tcp", OUT, 443), ("tcp", IN, 443)) == ["EPERM", "ok"]
        assert daemon.wait() == 0
    eventually(lambda: not remaining(objects), "programs, links and maps are gone")
    assert [event["fields"] for event in fresh.notices("UNLOADED")] == [{"reason": "a test of it", "uid": "0"}]
    assert fresh.run("unload", "--reason", "by force", "--force").returncode == 0
    again = fresh.run("unload", "--reason", "again")
    assert (again.returncode, "there is nothing to remove" in again.stderr) == (1, True)


def test_unload_without_the_daemon_takes_force(fresh: Host) -> None:
    fresh.start().kill()
    done = fresh.run("unload", "--reason", "a test")
    assert (done.returncode, "--force" in done.stderr) == (3, True)
    assert fresh.json("status")["policy"]["version"] == 1
    assert fresh.run("unload", "--reason", "a test", "--force").returncode == 0
    assert not fresh.instance.pins.exists()


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    made = Deployment.make()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Host]:
    """A host that shares the network of the controller."""
    where = Namespace("none")
    where.path = Path("/proc/self/ns/net")
    host = Host(where, tmp_path)
    yield host
    remove_instance(host.instance.name)


async def enrol(deployment: Deployment, host: Host, *words: str) -> None:
    token = await deployment.token_file(host.directory / "token.pem")
    host.run("enroll", "--controller", deployment.address, "--token-file", token, *words).check_returncode()


@pytest.fixture
async def enrolled(deployment: Deployment, beside: Host) -> Host:
    await enrol(deployment, beside, "--host", "hall")
    return beside


async def notices(deployment: Deployment, kind: "NoticeKind.ValueType") -> list[dict[str, str]]:
    """The fields of the host's notices of one kind in the controller's log."""
    items = [item for data in await logged(deployment, "hall") for _, item in batch.decode(data)]
    return [dict(item.fields) for item in items if isinstance(item, Notice) and item.kind == kind]


async def test_unload_of_an_enrolled_host_is_in_the_log_first(deployment: Deployment, enrolled: Host) -> None:
    refused = enrolled.run("run", "--policy", enrolled.policy)
    assert (refused.returncode, "leave out --policy" in refused.stderr) == (1, True)
    with enrolled.start("--config", "/dev/null"):
        deployment.kill()
        done = enrolled.run("unload", "--reason", "too early", timeout=60)
        assert (done.returncode, "--force" in done.stderr) == (3, True)
        assert all(not hook["problem"] for hook in enrolled.json("status")["hooks"])
        deployment.start()
        assert enrolled.run("unload", "--reason", "decommissioned", timeout=60).returncode == 0
        assert not enrolled.instance.pins.exists()
    told = await notices(deployment, NoticeKind.NOTICE_KIND_UNLOADED)
    assert [fields["reason"] for fields in told] == ["too early", "decommissioned"]
    taken_back = await notices(deployment, NoticeKind.NOTICE_KIND_UNLOAD_REFUSED)
    assert [fields["reason"] for fields in taken_back] == ["too early"]
    with enrolled.start("--config", "/dev/null"):
        deployment.kill()
        assert enrolled.run("unload", "--reason", "gone", "--force").returncode == 0
    assert not enrolled.instance.pins.exists()
    assert [event["fields"]["reason"] for event in enrolled.notices("UNLOADED")][-1] == "gone"


async def test_a_host_that_runs_on_its_own_joins_and_nothing_is_missing_from_then_on(
    deployment: Deployment, beside: Host
) -> None:
    """Also not what its daemon has recorded before it was restarted."""
    with beside.start() as program:
        assert beside.attempt(("tcp", OUT, 443)) == ["EPERM"]
        await enrol(deployment, beside)
        assert beside.attempt(("tcp", OUT, 444)) == ["EPERM"]
        assert program.stop() == 0
    with beside.start("--config", "/dev/null"):
        eventually(
            lambda: beside.json("status")["daemon"]["spool"]["waiting"] == 0, "the controller has everything", 60
        )
    key = event_key.parse(beside.json("status")["event_key"])
    found, [begins] = await audited(deployment, socket.gethostname(), key)
    views = [batch.decode(data) for data in found]
    ports = [item.remote_port for view in views for _, item in view if isinstance(item, Event)]
    assert (443 in ports, 444 in ports) == (False, True)
    assert (views[0].first, views[0].previous) == (begins.first, begins.previous)
    assert begins.first > 1
    assert views[-1].message.begins == begins.first

"""Selectors: who is tagged since its cgroup is selected, by the kernel alone. No daemon runs in any of these tests."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from landfast.policy import canonical
from landfast.policy.tables import selectors_of
from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import libbpf, selection, tasks
from landfast_agent.backstop import Backstop
from landfast_agent.clock import Clock
from landfast_agent.enforcer import Enforcer
from landfast_agent.lockout import Lockout
from landfast_agent.policy_store import PolicyStore
from landfast_agent.selection import Selected
from tests.testbed import DATA_CENTRE, OUTSIDE, Cgroup, Network, Program, Sniffer, eventually, owned
from tests.testbed.cgroup import cgroup_root
from tests.testbed.fork_loop import fork_loop
from tests.testbed.plane import Plane
from tests.testbed.puppet import PUPPET, Puppet

IN4, OUT4, OUT6 = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4), str(OUTSIDE.ip6)
TO_OUTSIDE = ("tcp", OUT4, 443)
TRIES = [TO_OUTSIDE, ("udp", OUT4, 443), ("tcp", OUT6, 443), ("forked_twice", OUT4, 443), ("thread", OUT4, 443)]
REFUSED = ["EPERM"] * len(TRIES)

BASE = owned("lft")  # the cgroup above those of this module
UNIT = f"feed-{BASE}.service"  # nobody else on this host has a unit of this name
POLICY = f"""
version: 1
data_classes:
  eu:
    select:
      - unit: {UNIT.replace("feed", "f*d")}
      - cgroup: /{BASE}/eea/*
    allow: [{{to: 10.20.0.0/16, ports: [tcp/443, udp/8000], reason: data centre}}]
  billing:
    select:
      - cgroup: /{BASE}/eea/both
    allow: [{{to: 10.20.0.0/16, ports: [tcp/443], reason: ledger}}]
"""
NOBODY = POLICY.replace("f*d", "nobody").replace("/eea/", "/nobody/")


def select(plane: Plane, yaml: str = POLICY) -> list[Selected]:
    """What the daemon does with a policy, once."""
    plane.apply(yaml)
    assert plane.policy is not None
    return selection.synchronise(plane.maps, selectors_of(plane.policy), plane.tagger, Lockout())


def below(name: str) -> Cgroup:
    """`UNIT` stands for its name, which differs from run to run, as names of tests may not."""
    return Cgroup(f"{BASE}/{name.replace('UNIT', UNIT)}")


@contextmanager
def puppet(plane: Plane, network: Network, **options: Any) -> Iterator[Puppet]:
    """An untagged client in the enclave."""
    with plane.gated(network["enclave"], PUPPET, [], **options) as process:
        yield Puppet(process)


@pytest.mark.parametrize("name", ["UNIT", "sub/UNIT", "UNIT/app/worker", "eea/one", "eea/one/two"])
def test_who_is_born_into_a_selected_cgroup_is_tagged(plane: Plane, servers: Network, name: str) -> None:
    """As systemd starts a unit: make the cgroup, fork, enter, exec."""
    select(plane)
    with below(name) as cgroup, Sniffer(servers.router, "enclave") as sniffer:
        assert plane.attempt(servers["enclave"], [*TRIES, ("tcp", IN4, 443)], [], cgroup) == [*REFUSED, "ok"]
        assert sniffer.frames(to=f"{OUT4}/32") == sniffer.frames(to=f"{OUT6}/128") == []
    assert {e.reason for e in plane.events(Stage.TASK)} == {Reason.CGROUP, Reason.EXEC}


@pytest.mark.parametrize("name", ["other.service", "UNIT.d", "xUNIT", "eea", "eeas/one"])
def test_others_are_left_alone(plane: Plane, servers: Network, name: str) -> None:
    select(plane)
    with below(name) as cgroup:
        assert plane.attempt(servers["enclave"], [TO_OUTSIDE], [], cgroup) == ["ok"]
    assert plane.events() == []


def test_several_selectors_add_up(plane: Plane, servers: Network) -> None:
    select(plane)
    attempts = [("tcp", IN4, 443), ("udp", IN4, 8000)]
    with below("eea/one") as eu, below("eea/both") as both:
        assert plane.attempt(servers["enclave"], attempts, [], eu) == ["ok", "ok"]
        assert plane.attempt(servers["enclave"], attempts, [], both) == ["ok", "EPERM"]


@pytest.mark.parametrize("name", ["UNIT", "eea/one"])
def test_a_process_that_enters_by_itself_and_never_executes(plane: Plane, servers: Network, name: str) -> None:
    select(plane)
    with below(name) as cgroup, puppet(plane, servers) as client:
        assert client.do(TO_OUTSIDE, ("join", str(cgroup.path), 0), *TRIES) == ["ok", "ok", *REFUSED]


def test_a_process_that_is_moved_there(plane: Plane, servers: Network) -> None:
    select(plane)
    with below("UNIT") as cgroup, puppet(plane, servers) as client:
        assert client.do(TO_OUTSIDE) == ["ok"]
        cgroup.add(client.pid)
        task = tasks.get(plane.maps, client.pid)
        assert task is not None
        assert task.tags == plane.tags(["eu"])
        assert client.do(*TRIES) == REFUSED


def test_leaving_the_cgroup_keeps_the_tags(plane: Plane, servers: Network) -> None:
    select(plane)
    with below("UNIT") as cgroup, puppet(plane, servers, cgroup=cgroup) as client:
        assert client.do(TO_OUTSIDE, ("join", str(cgroup_root()), 0), *TRIES) == ["EPERM", "ok", *REFUSED]
        assert client.do(("executed", OUT4, 443), ("session", OUT4, 443)) == ["EPERM", "EPERM"]


def test_a_second_cgroup_adds_its_classes_and_takes_none_away(plane: Plane, servers: Network) -> None:
    select(plane)
    attempts = [("tcp", IN4, 443), ("udp", IN4, 8000)]
    with below("eea/both") as both, below("UNIT") as eu, puppet(plane, servers, cgroup=eu) as client:
        assert client.do(*attempts) == ["ok", "ok"]
        assert client.do(("join", str(both.path), 0), *attempts) == ["ok", "ok", "EPERM"]
        assert client.do(("join", str(eu.path), 0), *attempts) == ["ok", "ok", "EPERM"]


@pytest.mark.parametrize("kept", ["keep", "keep_udp"])
def test_what_runs_when_the_policy_comes_is_tagged_with_its_open_sockets(
    plane: Plane, servers: Network, kept: str
) -> None:
    select(plane, NOBODY)
    with below("UNIT") as cgroup, puppet(plane, servers, cgroup=cgroup) as client:
        assert client.do((kept, OUT4, 443), (kept, IN4, 443)) == ["ok", "ok"]
        found = select(plane)
        assert [(each.path, each.refusal) for each in found] == [(f"/{cgroup.name}", "")]
        with Sniffer(servers.router, "enclave") as sniffer:
            told = client.do(("again", OUT4, 443), *TRIES)
            assert told[0] == ("timeout" if kept == "keep" else "EPERM")
            assert told[1:] == REFUSED
            assert sniffer.frames(to=f"{OUT4}/32") == []
        assert client.do(("again", IN4, 443)) == (["ok"] if kept == "keep" else ["EPERM"])


def test_a_starting_agent_tags_the_sockets_of_those_whom_the_kernel_tagged(
    plane: Plane, servers: Network, tmp_path: Path
) -> None:
    """Also when the record that says so was lost."""
    select(plane)
    assert plane.policy is not None
    store = PolicyStore(tmp_path / "policies")
    store.write(plane.policy.version, canonical.encode(plane.policy))
    with below("UNIT") as cgroup, puppet(plane, servers) as client:
        assert client.do(("keep", OUT4, 443), ("join", str(cgroup.path), 0)) == ["ok", "ok"]
        plane.events()
        backstop, clock = Backstop(plane.instance, plane.maps), Clock(tmp_path / "clock")
        Enforcer(plane.maps, store, clock, Lockout(), plane.guard, backstop, lambda *_: None).restore()
        backstop.end()
        with Sniffer(servers.router, "enclave") as sniffer:
            assert client.do(("again", OUT4, 443)) == ["timeout"]
            assert sniffer.frames(to=f"{OUT4}/32") == []


def test_a_fork_loop_in_a_cgroup_does_not_outrun_the_policy(plane: Plane, servers: Network, tmp_path: Path) -> None:
    select(plane, NOBODY)
    with (
        below("UNIT") as cgroup,
        Sniffer(servers.router, "enclave") as sniffer,
        Program(fork_loop(OUT4, 3), tmp_path / "loop.log", servers["enclave"], cgroup),
    ):
        time.sleep(0.5)
        select(plane)
        selected_at = time.monotonic()
        time.sleep(1)
        cgroup.freeze()
        assert 0 < sniffer.last(f"{OUT4}/32") < selected_at + 0.01


def test_a_cgroup_that_is_no_longer_selected_tags_no_newcomers(plane: Plane, servers: Network) -> None:
    select(plane)
    with below("UNIT") as cgroup, puppet(plane, servers, cgroup=cgroup) as client:
        assert client.do(TO_OUTSIDE) == ["EPERM"]
        select(plane, NOBODY)
        assert plane.attempt(servers["enclave"], [TO_OUTSIDE], [], cgroup) == ["ok"]
        assert client.do(*TRIES) == REFUSED


def test_a_removed_cgroup_is_forgotten(plane: Plane) -> None:
    select(plane)
    with below("UNIT") as cgroup:
        held = list(_selected(plane))
        assert cgroup.path.stat().st_ino in held
    assert cgroup.path.exists() is False
    assert list(_selected(plane)) == []


def _selected(plane: Plane) -> Iterator[int]:
    return (int.from_bytes(key, "little") for key in libbpf.map_keys(plane.maps.fd("cgroups"), 8))


@pytest.mark.parametrize("name", ["sshd", "agent"])
def test_a_cgroup_that_must_not_be_tagged_is_refused(plane: Plane, servers: Network, name: str, tmp_path: Path) -> None:
    select(plane, NOBODY)
    program = Path(shutil.copy("/bin/sleep", tmp_path / name))
    with below("UNIT") as cgroup, plane.gated(servers["enclave"], [program, "60"], [], cgroup=cgroup) as process:
        _until_named(process.pid, name)
        plane.apply(POLICY)
        assert plane.policy is not None
        lockout = Lockout(agent=process.pid if name == "agent" else None)
        (found,) = selection.synchronise(plane.maps, selectors_of(plane.policy), plane.tagger, lockout)
        assert "nobody could log in" in found.refusal or "it is the agent" in found.refusal
        assert tasks.get(plane.maps, process.pid) is None
        assert list(_selected(plane)) == []


def _until_named(pid: int, name: str) -> None:
    eventually(lambda: Path(f"/proc/{pid}/comm").read_text().strip() == name, f"{name} runs")


def test_audited_classes_are_selected_too(plane: Plane, servers: Network) -> None:
    select(plane, POLICY.replace("  eu:\n", "  eu:\n    mode: audit\n"))
    with below("UNIT") as cgroup:
        assert plane.attempt(servers["enclave"], [TO_OUTSIDE], [], cgroup) == ["ok"]
    assert {e.verdict for e in plane.events(Stage.CONNECT)} == {Verdict.WOULD_DENY}


#: Prints how a connection ends that is made in a network namespace of its own: refused, or no route to there.
LEAVES = """
import ctypes, socket, sys
if sys.argv[1] == "before":
    socket.socket().close()
print("ready", flush=True)
sys.stdin.readline()
if sys.argv[1] == "between":
    socket.socket().close()
ctypes.CDLL(None).unshare(0x40000000)
print(socket.socket().connect_ex((sys.argv[2], 443)))
"""
EPERM, ENETUNREACH = "1", "101"


@pytest.mark.parametrize(("socket", "ends"), [("between", EPERM), ("before", ENETUNREACH)])
def test_who_moves_in_is_bound_to_the_namespace_of_its_next_socket(
    plane: Plane, servers: Network, socket: str, ends: str
) -> None:
    """As a container runtime does it, it may still enter one before."""
    select(plane)
    program = ["/usr/bin/python3", "-IS", "-c", LEAVES, socket, IN4]
    with below("eea/one") as cgroup, plane.gated(servers["enclave"], program, []) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        cgroup.add(process.pid)
        moved = tasks.get(plane.maps, process.pid)
        assert moved is not None
        assert moved.netns == 0
        assert process.communicate("\n", timeout=60)[0].strip() == ends

"""What nobody can judge never stays open in a tagged process: `tag` refuses, selectors kill, `exec` closes."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.agent.host import Host, running
from tests.testbed import Cgroup, Network, Program, eventually, holder, owned

_PYTHON = "/usr/bin/python3"
_HOLDER = Path(holder.__file__)
BASE = owned("lft")
POLICY = f"""\
version: 1
data_classes:
  eu:
    select: [{{cgroup: /{BASE}/eu}}]
  quiet:
    forbidden_calls: audit
    select: [{{cgroup: /{BASE}/quiet}}]
  rings:
    io_uring: allow
    select: [{{cgroup: /{BASE}/rings}}]
"""
WHAT = {
    "raw": "a raw socket",
    "raw6": "a raw socket",
    "packet": "a packet socket",
    "xdp": "an AF_XDP socket",
    "usersock": "a NETLINK_USERSOCK",
    "mptcp": "a socket of the protocol 262",
    "udp_lite": "a socket of the protocol 136",
    "ring": "an io_uring",
    "bpf_program": "a BPF program",
    "tun": "a tunnel device",
    "macvtap": "a macvtap device",
    "foreign_memory": "the memory of another process, writable",
}
FULL = "a socket whose option memory is full"
HARMLESS = ("own_memory", "read_memory", "route", "udp", "null")


@pytest.fixture(scope="module")
def host(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """An agent whose policy selects cgroups."""
    with running(network["enclave"], tmp_path_factory.mktemp("host"), POLICY) as made:
        yield made


@contextmanager
def holding(host: Host, kind: str, log: Path) -> Iterator[tuple[Program, int]]:
    """An untagged process that holds something, and its descriptor."""
    with Program([_PYTHON, "-IS", _HOLDER, kind], log, host.where) as program:
        program.ready(lambda: "holds" in program.output)
        found = re.search(r"holds (\d+)\.", program.output)
        assert found
        yield program, int(found[1])


def tagged(host: Host) -> set[int]:
    return {row["pid"] for row in host.json("ps")}


@pytest.mark.parametrize("kind", [*WHAT, "own_table", "full"])
def test_tag_refuses_the_holder(host: Host, tmp_path: Path, kind: str) -> None:
    with holding(host, kind, tmp_path / "log") as (program, descriptor):
        done = host.run("tag", str(program.pid), "--class", "eu")
        assert done.returncode == 1
        what = WHAT.get(kind, "a raw socket" if kind == "own_table" else FULL)
        assert f"process {program.pid} is not tagged: it holds {what} (descriptor {descriptor}), " in done.stderr
        assert "stop it, and start it tagged" in done.stderr
        assert program.pid not in tagged(host)
        assert program.process.poll() is None


@pytest.mark.parametrize("kind", HARMLESS)
def test_tag_takes_everybody_else_at_once(host: Host, tmp_path: Path, kind: str) -> None:
    with holding(host, kind, tmp_path / "log") as (program, _):
        done = host.run("tag", str(program.pid), "--class", "eu", timeout=20)
        assert (done.returncode, done.stderr) == (0, "")
        assert program.pid in tagged(host)
        assert program.process.poll() is None


def test_tag_refuses_the_whole_tree(host: Host, tmp_path: Path) -> None:
    script = f"{_PYTHON} -IS {_HOLDER} packet; exit"
    with Program(["sh", "-c", script], tmp_path / "log", host.where) as shell:
        shell.ready(lambda: "holds" in shell.output)
        done = host.run("tag", str(shell.pid), "--class", "eu")
        nobody = shell.pid not in tagged(host)
        os.killpg(shell.pid, signal.SIGKILL)
        assert (done.returncode, "a packet socket" in done.stderr, nobody) == (1, True, True)


@pytest.mark.parametrize("kind", WHAT)
def test_selectors_kill_the_holder(host: Host, tmp_path: Path, kind: str) -> None:
    with holding(host, kind, tmp_path / "log") as (program, descriptor), Cgroup(f"{BASE}/eu") as cgroup:
        cgroup.add(program.pid)
        assert program.wait() == -signal.SIGKILL
        (text,) = told(host, program)
        assert "was killed: tagged eu while it ran" in text
        assert f"it held {WHAT[kind]} (descriptor {descriptor})" in text


def test_holders_in_a_cgroup_that_is_there_already_are_killed(host: Host, tmp_path: Path) -> None:
    """They came before the policy that selects them."""
    with Cgroup() as cgroup, holding(host, "packet", tmp_path / "log") as (program, _):
        cgroup.add(program.pid)
        host.policy.write_text(POLICY + f"  later: {{select: [{{cgroup: /{cgroup.name}}}]}}\n")
        os.kill(int(host.json("status")["daemon"]["pid"]), signal.SIGHUP)
        assert program.wait() == -signal.SIGKILL
        assert len(told(host, program)) == 1


@pytest.mark.parametrize(("name", "kind"), [("quiet", "packet"), ("quiet", "ring")])
def test_classes_that_only_record_let_the_holder_live(host: Host, tmp_path: Path, name: str, kind: str) -> None:
    with holding(host, kind, tmp_path / "log") as (program, _), Cgroup(f"{BASE}/{name}") as cgroup:
        cgroup.add(program.pid)
        (text,) = told(host, program)
        assert f"goes on, since its classes only record: tagged {name} while it ran, it held {WHAT[kind]}" in text
        assert program.process.poll() is None


def test_a_class_that_may_use_io_uring_keeps_its_rings(host: Host, tmp_path: Path) -> None:
    with holding(host, "ring", tmp_path / "log") as (program, _), Cgroup(f"{BASE}/rings") as rings:
        rings.add(program.pid)
        eventually(lambda: program.pid in tagged(host), "it is tagged")
        with holding(host, "raw", tmp_path / "other") as (other, _):
            rings.add(other.pid)
            assert other.wait() == -signal.SIGKILL
        assert program.process.poll() is None
        assert told(host, program, wait=False) == []


def test_a_selector_kills_the_holder_of_a_socket_without_room_for_tags(host: Host, tmp_path: Path) -> None:
    with holding(host, "full", tmp_path / "log") as (program, descriptor), Cgroup(f"{BASE}/eu") as cgroup:
        cgroup.add(program.pid)
        assert program.wait() == -signal.SIGKILL
        (text,) = told(host, program)
        assert f"{FULL} (descriptor {descriptor})" in text


_STARTED = """
import os, socket, sys, time
manager = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # closes when the service is executed
if not os.fork():
    open(sys.argv[1], "w").write(str(os.getpid()))
    time.sleep(0.2)
    if sys.argv[2] == "service":
        os.execvp("sleep", ["sleep", "100"])
    time.sleep(100)
print("status", os.wait()[1], flush=True)
"""


@pytest.mark.parametrize("kind", ["service", "worker"])
def test_a_service_managers_child_may_close_by_executing(host: Host, tmp_path: Path, kind: str) -> None:
    """A child that goes on without executing keeps what it has, and is killed a second later."""
    with Cgroup(f"{BASE}/eu") as cgroup:
        argv = [_PYTHON, "-ISc", _STARTED, cgroup.path / "cgroup.procs", kind]
        with Program(argv, tmp_path / "log", host.where) as manager:
            if kind == "worker":
                eventually(lambda: manager.output == "status 9\n", "its child is killed")
                return
            eventually(lambda: [row["name"] for row in host.json("ps")].count("sleep") == 1, "the service is tagged")
            time.sleep(1.5)  # longer than such a child is given
            assert manager.output == ""
            assert len(cgroup.processes()) == 1


def told(host: Host, program: Program, *, wait: bool = True) -> list[str]:
    """What the events say of a process."""

    def texts() -> list[str]:
        notices = host.notices("TAG_REFUSED")
        return [each["text"] for each in notices if each["fields"].get("pid") == str(program.pid)]

    if wait:
        eventually(lambda: texts() != [], "its event is stored", 20)
    return texts()


@pytest.mark.parametrize("kind", [*WHAT, "full"])
def test_exec_closes_what_is_inherited(host: Host, kind: str) -> None:
    script = "test -e /proc/self/fd/$HELD && echo open; echo $HELD"
    start = [_PYTHON, "-IS", _HOLDER, kind, *host.tagged("sh", "-c", script)]
    done = host.where.run(start)
    what = WHAT.get(kind, FULL)
    assert f"closed what was inherited: {what} (descriptor {done.stdout.strip()})" in done.stderr


@pytest.mark.parametrize("kind", HARMLESS)
def test_exec_leaves_the_rest_open(host: Host, kind: str) -> None:
    script = "test -e /proc/self/fd/$HELD && echo open"
    done = host.where.run([_PYTHON, "-IS", _HOLDER, kind, *host.tagged("sh", "-c", script)])
    assert (done.stdout, done.stderr) == ("open\n", "")


_SHARER = f"""
import ctypes, time
libc = ctypes.CDLL(None)
child = libc.syscall(56, {0x400 | signal.SIGCHLD}, 0, 0, 0, 0)
if child:
    print(f"shares with {{child}}.", flush=True)
time.sleep(100)
"""


def test_tag_refuses_who_shares_its_table_with_an_outsider(host: Host, tmp_path: Path) -> None:
    """By clone(CLONE_FILES); what either opens, both have. Tagged together, they may."""
    with Program([_PYTHON, "-ISc", _SHARER], tmp_path / "log", host.where) as parent:
        parent.ready(lambda: "shares" in parent.output)
        child = int(parent.output.split()[-1][:-1])
        try:
            done = host.run("tag", str(child), "--class", "eu")
            assert done.returncode == 1
            assert f"process {parent.pid}, which is not below it, shares its table of descriptors" in done.stderr
            assert child not in tagged(host)
            assert host.run("tag", str(parent.pid), "--class", "eu").returncode == 0
            assert tagged(host) >= {parent.pid, child}
        finally:
            os.killpg(parent.pid, signal.SIGKILL)

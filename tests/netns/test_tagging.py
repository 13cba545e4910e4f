"""Tagging what already runs: whole trees, also while they fork as fast as they can; never what would lock us out."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from landfast_agent import tagger, tasks
from landfast_agent.errors import BadInput, Refused, Unavailable
from landfast_agent.lineage import Lineage
from landfast_agent.lockout import Lockout
from landfast_agent.tagger import Tagger
from tests.testbed import DATA_CENTRE, OUTSIDE, Cgroup, Network, Program, Sniffer, eventually
from tests.testbed.fork_loop import fork_loop
from tests.testbed.plane import Plane
from tests.testbed.puppet import PUPPET, Puppet

IN4, OUT4 = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)
POLICY = """
version: 1
data_classes:
  eu:
    allow: [{to: 10.20.0.0/16, ports: [tcp/443], reason: data centre}]
  billing:
    allow: [{to: 10.20.0.0/16, ports: [tcp/443, udp/8000], reason: ledger}]
"""

# A tree with every kind of branch; each leaf sends for as long as it lives, and says nothing.
TREE = f"""
import os, socket, sys, threading, time
def send():
    while True:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(sys.argv[1].encode(), ("{OUT4}", 443))
        except OSError:
            pass
        time.sleep(0.01)
def child(work):
    if not os.fork():
        work()
        os._exit(0)
child(send)
child(lambda: child(send))
child(lambda: (os.setsid(), send()))
child(lambda: os.execv(sys.executable, [sys.executable, "-IS", "-c", sys.argv[2], "exec"]))
threading.Thread(target=send).start()
print("ready", flush=True)
send()
"""
SENDER = TREE[: TREE.index("def child")] + "send()"


@pytest.fixture(autouse=True)
def _policy(plane: Plane) -> None:
    plane.apply(POLICY)


def untagged(plane: Plane, pids: set[int]) -> set[int]:
    """Those of the living that carry nothing. Who is about to end is forgotten a moment before it is gone."""
    suspects = {pid for pid in pids if tasks.get(plane.maps, pid) is None}
    time.sleep(0.1 if suspects else 0)
    return {pid for pid in suspects if Lineage.now(plane.maps).parents.get(pid) and not tasks.get(plane.maps, pid)}


def later_than(sniffer: Sniffer, when: float) -> list[bytes]:
    return [frame.payload for frame in sniffer.frames(to=f"{OUT4}/32") if frame.time > when]


@pytest.mark.parametrize("chains", [1, 7])
def test_a_fork_loop_does_not_outrun_the_tags(
    plane: Plane, servers: Network, cgroup: Cgroup, tmp_path: Path, chains: int
) -> None:
    argv = fork_loop(OUT4, chains)
    with (
        Sniffer(servers.router, "enclave") as sniffer,
        Program(argv, tmp_path / "loop.log", servers["enclave"], cgroup) as program,
    ):
        time.sleep(0.5)
        plane.tagger.tag_tree(program.pid, plane.tags(["eu"]))
        tagged_at = time.monotonic()
        time.sleep(2)
        assert untagged(plane, cgroup.processes()) == set()
        assert len(cgroup.processes()) > 1
        cgroup.freeze()
        assert later_than(sniffer, 0) != []
        assert later_than(sniffer, tagged_at + 0.01) == []


def test_a_host_that_forks_faster_than_it_is_looked_at_is_told_so(
    plane: Plane, servers: Network, cgroup: Cgroup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more forks than the kernel remembers nobody knows whose they were. Here a single one is too many."""
    monkeypatch.setattr(tagger, "_FORKS", 0)
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    with Program(fork_loop(OUT4, 1), tmp_path / "loop.log", servers["enclave"], cgroup) as program:
        with pytest.raises(Unavailable, match=f"process {program.pid}: .* may have been missed: stop it .SIGSTOP."):
            plane.tagger.tag_tree(program.pid, plane.tags(["eu"]))
        assert os.getpriority(os.PRIO_PROCESS, 0) == niceness


def test_every_branch_of_a_tree_is_tagged(plane: Plane, servers: Network, cgroup: Cgroup, tmp_path: Path) -> None:
    argv = [sys.executable, "-IS", "-c", TREE, "tree", SENDER]
    with (
        Sniffer(servers.router, "enclave") as sniffer,
        Program(argv, tmp_path / "tree.log", servers["enclave"], cgroup) as program,
    ):
        program.ready(lambda: "ready" in program.output)
        eventually(lambda: len(cgroup.processes()) == 5, "the branches live")
        tagged = plane.tagger.tag_tree(program.pid, plane.tags(["eu"]))
        tagged_at = time.monotonic()
        assert {task.tgid for task in tagged.processes} == cgroup.processes()
        time.sleep(0.5)
        assert later_than(sniffer, tagged_at + 0.01) == []


def test_tags_are_added_and_never_taken_away(plane: Plane, servers: Network) -> None:
    attempts = [("tcp", IN4, 443), ("udp", IN4, 8000), ("tcp", OUT4, 443)]
    with plane.gated(servers["enclave"], PUPPET, ["billing"]) as process:
        client = Puppet(process)
        assert client.do(*attempts) == ["ok", "ok", "EPERM"]
        plane.tagger.tag_tree(client.pid, plane.tags(["eu"]))
        assert client.do(*attempts) == ["ok", "EPERM", "EPERM"]
        plane.tagger.tag_tree(client.pid, plane.tags(["billing"]))
        assert client.do(*attempts) == ["ok", "EPERM", "EPERM"]
        task = tasks.get(plane.maps, client.pid)
        assert task is not None
        assert task.tags == plane.tags(["eu", "billing"])


def test_the_dead_are_forgotten_and_their_numbers_are_clean(plane: Plane, servers: Network) -> None:
    """What a hunt has marked among the dead may lie there still, and its number be given out again."""
    before = _tagged(plane)
    with plane.gated(servers["enclave"], PUPPET, ["eu"]) as process:
        client = Puppet(process)
        assert client.do(("forked_twice", IN4, 443)) == ["ok"]
        assert _tagged(plane) - before <= {client.pid} <= _tagged(plane)
    assert _tagged(plane) <= before - {client.pid}


def _tagged(plane: Plane) -> set[int]:
    return {task.tgid for task in tasks.everything(plane.maps)}


def test_a_number_that_is_used_again_brings_no_tags(plane: Plane, servers: Network) -> None:
    """Also when the kernel did not say that the process before was gone."""
    stale = {pid for pid in range(os.getpid() + 1, os.getpid() + 3000) if not psutil.pid_exists(pid)}
    for pid in stale:
        tasks.add_tags(plane.maps, pid, plane.tags(["eu"]))
    try:
        results = {tuple(plane.attempt(servers["enclave"], [("tcp", OUT4, 443)], [])) for _ in range(3)}
        assert results == {("ok",)}
    finally:
        for pid in stale:
            tasks.forget(plane.maps, pid)


# what would lock the host out


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that calls itself sshd."""
    program = shutil.copy("/bin/sleep", tmp_path / "sshd")
    with subprocess.Popen([program, "60"]) as process:
        yield process
        process.kill()


def refusal(plane: Plane, pid: int, agent: int | None = None) -> str:
    """Nobody has gained a tag. Numbers of those who are long gone may be given to others meanwhile, and lose theirs."""
    before = {*tasks.everything(plane.maps)}
    with pytest.raises(Refused) as refused:
        Tagger(plane.maps, Lockout(agent), plane.guard).tag_tree(pid, plane.tags(["eu"]))
    assert {*tasks.everything(plane.maps)} <= before
    return str(refused.value)


def test_pid_1_is_refused(plane: Plane) -> None:
    assert "it is PID 1" in refusal(plane, 1)


def test_the_agent_is_refused(plane: Plane, sleeper: "subprocess.Popen[bytes]") -> None:
    assert "it is the agent itself" in refusal(plane, sleeper.pid, agent=sleeper.pid)


def test_what_the_agent_hangs_from_is_refused(plane: Plane, sleeper: "subprocess.Popen[bytes]") -> None:
    assert "the agent runs below it" in refusal(plane, os.getpid(), agent=sleeper.pid)


def test_sshd_is_refused(plane: Plane, sleeper: "subprocess.Popen[bytes]") -> None:
    eventually(lambda: Path(f"/proc/{sleeper.pid}/comm").read_text() == "sshd\n", "it runs")
    assert "it is sshd" in refusal(plane, sleeper.pid)


def test_a_tree_with_sshd_in_it_is_refused_as_a_whole(plane: Plane, tmp_path: Path) -> None:
    program = shutil.copy("/bin/sleep", tmp_path / "sshd")
    script = f"{program} 60 & sleep 60 & wait"
    with subprocess.Popen(["/bin/sh", "-c", script], start_new_session=True) as shell:
        try:
            eventually(lambda: len(psutil.Process(shell.pid).children()) == 2, "both children run")
            eventually(lambda: "sshd" in {p.name() for p in psutil.Process(shell.pid).children()}, "sshd runs")
            assert "it is sshd" in refusal(plane, shell.pid)
        finally:
            os.killpg(shell.pid, 9)


def test_kernel_threads_are_refused(plane: Plane) -> None:
    kernel_thread = next(process.pid for process in psutil.process_iter() if process.ppid() == 2)
    for pid in (2, kernel_thread):
        assert "kernel thread" in refusal(plane, pid)


def test_a_process_that_is_not_there(plane: Plane) -> None:
    with pytest.raises(BadInput, match="process 4194303 does not exist"):
        plane.tagger.tag_tree(4194303, plane.tags(["eu"]))

"""The test bed itself: if it lied, every test that stands on it would."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from landfast_agent import libbpf
from tests.testbed import (
    DATA_CENTRE,
    ENCLAVE,
    OUTSIDE,
    Cgroup,
    Network,
    Program,
    Sniffer,
    echo_server,
    eventually,
    rsync_server,
    web_server,
)
from tests.testbed.bpf_objects import pinned, remaining
from tests.testbed.leftovers import remove_instance, remove_leftovers
from tests.testbed.names import abandoned, owned, owner


@pytest.mark.parametrize("address", [str(OUTSIDE.ip4), str(OUTSIDE.ip6), str(DATA_CENTRE.ip4), str(DATA_CENTRE.ip6)])
def test_every_site_is_reached_at_once_over_both_protocols(network: Network, tmp_path: Path, address: str) -> None:
    site = "outside" if address in (str(OUTSIDE.ip4), str(OUTSIDE.ip6)) else "datacentre"
    (tmp_path / "hello").write_text("hello from afar")
    with web_server(network[site], tmp_path, tmp_path):
        host = f"[{address}]" if ":" in address else address
        answer = network["enclave"].run(["curl", "-sS", "--max-time", "5", f"http://{host}/hello"])
    assert answer.stdout == "hello from afar"


def test_the_hosts_own_network_is_not_involved(network: Network) -> None:
    interfaces = Path("/proc/net/dev").read_text()
    assert not any(f"{site.name}:" in interfaces for site in network.sites)


def test_rsync_copies_through_the_network(network: Network, tmp_path: Path) -> None:
    source, target, state = (tmp_path / name for name in ("source", "target", "state"))
    for directory in (source, target, state):
        directory.mkdir()
    (source / "profile").write_bytes(os.urandom(100_000))
    with rsync_server(network["datacentre"], target, state):
        done = network["enclave"].run(["rsync", "-a", f"{source}/", f"rsync://{DATA_CENTRE.ip4}/data/"])
    assert done.returncode == 0, done.stderr
    assert (target / "profile").read_bytes() == (source / "profile").read_bytes()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_echo_and_what_the_sniffer_sees_of_it(network: Network, tmp_path: Path, kind: socket.SocketKind) -> None:
    with (
        echo_server(network["outside"], tmp_path / "log", (7, 9000)),
        Sniffer(network.router, "enclave") as sniffer,
        network["enclave"].socket(socket.AF_INET6, kind) as sock,
    ):
        sock.settimeout(5)
        sock.connect((str(OUTSIDE.ip6), 9000))
        sock.sendall(b"a secret of 23 bytes...")
        assert sock.recv(100) == b"a secret of 23 bytes..."
        frames = sniffer.frames(to="2001:db8:bad::/64")
    carrying = [frame for frame in frames if frame.size]
    assert [(frame.payload, frame.size, frame.port) for frame in carrying] == [(b"a secret of 23 bytes...", 23, 9000)]
    assert sum(frame.opens for frame in frames) == (kind == socket.SOCK_STREAM)
    assert {str(frame.source) for frame in frames} == {str(ENCLAVE.ip6)}


def test_the_sniffer_counts_every_datagram_and_forgets_on_demand(network: Network) -> None:
    with Sniffer(network.router, "enclave") as sniffer, network["enclave"].socket(2, socket.SOCK_DGRAM) as sock:
        for number in range(997):
            sock.sendto(b"%d" % number, (str(OUTSIDE.ip4), 5000))
        assert len([frame for frame in sniffer.frames(to="203.0.113.0/24") if frame.protocol == 17]) == 997
        assert sniffer.saw(b"996")
        sniffer.clear()
        assert sniffer.frames(to="203.0.113.0/24") == []


def test_a_program_is_in_its_cgroup_before_it_begins(network: Network, cgroup: Cgroup) -> None:
    seen = network["enclave"].run(["cat", "/proc/self/cgroup"], cgroup).stdout
    assert f"0::/{cgroup.name}\n" in seen


def test_a_cgroup_ends_its_processes_and_those_of_its_children(tmp_path: Path) -> None:
    with Cgroup(f"{owned('lft')}/inner") as inner:
        program = Program(["sleep", "100"], tmp_path / "log")
        Cgroup(f"{inner.name}/leaf").make().add(program.pid)
    assert program.wait() == -9
    assert not inner.path.parent.exists()


def test_a_program_that_fails_to_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"status 3:\nno such luck"):
        Program(["sh", "-c", "echo no such luck; exit 3"], tmp_path / "log").ready(lambda: False)


def test_waiting_in_vain_names_what_for() -> None:
    with pytest.raises(TimeoutError, match="a miracle"):
        eventually(lambda: False, "a miracle", timeout=0.05)


def test_names_tell_the_living_from_the_dead() -> None:
    mine = owned("lft")
    assert owner(mine, "lft") == os.getpid()
    assert owner(f"{mine}-router", "lft") == os.getpid()
    assert not abandoned(mine, "lft")
    assert not abandoned("lft-99999999-1", "other")
    assert abandoned("lft-99999999-1", "lft")
    assert owner("default", "t") is None


def test_a_killed_run_leaves_nothing_behind() -> None:
    script = (
        "import os; from tests.testbed import *\n"
        "network = Network().make(); cgroup = Cgroup().make()\n"
        "network['outside'].run(['sh', '-c', 'sleep 100 </dev/null >/dev/null 2>&1 &'], cgroup)\n"
        "print(network.name, cgroup.name, flush=True); os.kill(os.getpid(), 9)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    names = run.stdout.split()
    assert (run.returncode, len(names)) == (-9, 2), run.stderr
    removed = " ".join(remove_leftovers("lft", "t"))
    assert all(name in removed for name in (*names, f"{names[0]}-router", f"{names[0]}-outside"))
    assert not any(name.startswith(names[0]) for name in os.listdir("/run/netns"))


def test_the_instance_default_is_never_removed() -> None:
    with pytest.raises(ValueError, match="default"):
        remove_instance("default")


def test_the_network_is_made_quickly() -> None:
    """Not every time on a busy machine."""

    def seconds() -> float:
        started = time.monotonic()
        with Network():
            return time.monotonic() - started

    eventually(lambda: seconds() < 5, "a network is made in less than five seconds", 60)


def test_pinned_objects_are_found_and_missed_when_they_are_gone() -> None:
    pins = Path("/sys/fs/bpf") / owned("lft")
    (pins / "maps").mkdir(parents=True)
    fd = libbpf.map_create(2, "testbed", key_size=4, value_size=8, max_entries=1)
    libbpf.obj_pin(fd, pins / "maps" / "testbed")
    objects = pinned(pins)
    assert [kind for kind, _ in objects] == ["maps"]
    assert remaining(objects) == objects
    shutil.rmtree(pins)
    os.close(fd)
    eventually(lambda: not remaining(objects), "the map is freed")

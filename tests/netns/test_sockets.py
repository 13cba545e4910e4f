"""Sockets that were open before their process was tagged: every one of them is found, wherever it hides."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from landfast_agent import unjudged
from landfast_agent.tagger import Tagged
from tests.testbed import DATA_CENTRE, ENCLAVE, OUTSIDE, Network, Sniffer
from tests.testbed.plane import Plane
from tests.testbed.puppet import PUPPET, Puppet

IN4, OUT4, OWN4 = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4), str(ENCLAVE.ip4)
TO_OUTSIDE = f"{OUT4}/32"
PORT = 9000
POLICY = """
version: 1
data_classes:
  eu:
    allow: [{to: 10.20.0.0/16, ports: [tcp/443, udp/8000], reason: data centre}]
    serve: [{from: 10.20.0.0/16, ports: [tcp/9000], reason: moderation tools}]
"""


@pytest.fixture(autouse=True)
def _policy(plane: Plane) -> None:
    plane.apply(POLICY)


@contextmanager
def puppet(plane: Plane, network: Network) -> Iterator[Puppet]:
    """An untagged client in the enclave."""
    with plane.gated(network["enclave"], PUPPET, []) as process:
        yield Puppet(process)


def tag(plane: Plane, pid: int) -> Tagged:
    return plane.tagger.tag_tree(pid, plane.tags(["eu"]))


def test_open_connections_are_judged_from_then_on(plane: Plane, servers: Network) -> None:
    with puppet(plane, servers) as client, Sniffer(servers.router, "enclave") as sniffer:
        opened = [("keep", OUT4, 443), ("keep_udp", OUT4, 8000), ("keep", IN4, 443), ("keep_udp", IN4, 8000)]
        assert client.do(*opened) == ["ok"] * 4
        assert tag(plane, client.pid).sockets == 4
        sniffer.clear()
        again = [("again", address, port) for _, address, port in opened]
        assert client.do(*again) == ["timeout", "EPERM", "ok", "ok"]
        assert sniffer.frames(to=TO_OUTSIDE) == []


def test_an_open_listener_answers_its_clients_and_nobody_else(plane: Plane, servers: Network) -> None:
    with puppet(plane, servers) as server, Sniffer(servers.router, "enclave") as sniffer:
        assert server.do(("keep_listening", OWN4, PORT)) == ["ok"]
        tag(plane, server.pid)
        assert plane.attempt(servers["outside"], [("tcp", OWN4, PORT)], []) == ["timeout"]
        assert server.do(("accept", OWN4, PORT)) == ["timeout"]
        assert sniffer.frames(to=TO_OUTSIDE) == []
        with servers["datacentre"].socket(socket.AF_INET) as client:
            client.settimeout(5)
            client.connect((OWN4, PORT))
            server.do(("accept", OWN4, PORT))
            assert client.recv(100) != b""


def test_connections_that_wait_to_be_accepted_are_no_way_out(plane: Plane, servers: Network) -> None:
    with (
        puppet(plane, servers) as server,
        Sniffer(servers.router, "enclave") as sniffer,
        servers["outside"].socket(socket.AF_INET) as client,
    ):
        server.do(("keep_listening", OWN4, PORT))
        client.connect((OWN4, PORT))
        sniffer.clear()
        tag(plane, server.pid)
        assert server.do(("accept", OWN4, PORT)) == ["ECONNABORTED"]
        assert sniffer.frames(to=TO_OUTSIDE) == []
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_what_accepted_before_may_go_on_where_serving_is_allowed(plane: Plane, servers: Network) -> None:
    with (
        puppet(plane, servers) as server,
        servers["outside"].socket(socket.AF_INET) as outside,
        servers["datacentre"].socket(socket.AF_INET) as client,
    ):
        server.do(("keep_listening", OWN4, PORT))
        for sock, name in ((outside, "outside"), (client, "datacentre")):
            sock.settimeout(1)
            sock.connect((OWN4, PORT))
            assert server.do(("keep_accepted", OWN4, PORT)) == ["ok"], name
        tag(plane, server.pid)
        for sock in (outside, client):
            sock.sendall(b"x")
        server.do(("answer_all", "", 0))
        assert client.recv(1) == b"x"
        with pytest.raises(TimeoutError):
            outside.recv(1)


# programs that keep a connection where a look at /proc/PID/fd does not show it
_CONNECT = f"""
import ctypes, os, socket, sys, threading, time
def connect():
    sock = socket.create_connection(("{OUT4}", 443))
    sock.sendall(b"before"); sock.recv(100)
    return sock
def talk(sock):
    sys.stdin.readline()
    sock.settimeout(0.4)
    try:
        sock.sendall(b"user data of a European"); print(sock.recv(100) and "ok", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
_OWN_TABLE = """
def work():
    ctypes.CDLL(None).unshare(0x400)
    sock = connect()
    print("ready", flush=True)
    talk(sock)
threading.Thread(target=work).start()
"""
_DEAD_LEADER = """
def work():
    sock = connect()
    while open("/proc/self/stat").read().split()[2] != "Z":
        time.sleep(0.01)
    print("ready", flush=True)
    talk(sock)
    os._exit(0)
threading.Thread(target=work).start()
ctypes.CDLL(None).pthread_exit(None)
"""
_CHILD = """
sock = connect()
if os.fork():
    print("ready", flush=True)
    os.wait()
else:
    talk(sock)
"""
_EXECUTED = """
sock = connect()
os.set_inheritable(sock.fileno(), True)
code = sys.argv[1] + "\\nprint('ready', flush=True); talk(socket.socket(fileno=%d))" % sock.fileno()
os.execv(sys.executable, [sys.executable, "-c", code])
"""


@pytest.mark.parametrize("hidden", [_OWN_TABLE, _DEAD_LEADER, _CHILD, _EXECUTED])
def test_a_connection_is_found_wherever_it_hides(plane: Plane, servers: Network, hidden: str) -> None:
    argv = ["/usr/bin/python3", "-c", _CONNECT + hidden, _CONNECT]
    with (
        plane.gated(servers["enclave"], argv, []) as process,
        Sniffer(servers.router, "enclave") as sniffer,
    ):
        assert _line(process) == "ready"
        tag(plane, process.pid)
        sniffer.clear()
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert _line(process) == "TimeoutError"
        assert sniffer.frames(to=TO_OUTSIDE) == []


def test_leaders_that_ended_share_nothing(plane: Plane, servers: Network) -> None:
    """Neither has a table any more, which looks like the same one."""
    argv = ["/usr/bin/python3", "-c", _CONNECT + _DEAD_LEADER]
    with plane.gated(servers["enclave"], argv, []) as one, plane.gated(servers["enclave"], argv, []) as other:
        assert [_line(one), _line(other)] == ["ready", "ready"]
        assert tag(plane, one.pid).sockets == 1


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


_CHURN = """
import os, socket, threading
def churn():
    while True:
        kept = [socket.socket() if os.urandom(1)[0] & 1 else open("/dev/null") for _ in range(7)]
        for each in kept:
            each.close()
for _ in range(7):
    threading.Thread(target=churn).start()
print("ready", flush=True)
"""


def test_descriptors_that_come_and_go_do_not_keep_a_process_from_being_tagged(plane: Plane, servers: Network) -> None:
    """A number may mean another file at each look."""
    with plane.gated(servers["enclave"], ["/usr/bin/python3", "-c", _CHURN], []) as process:
        assert _line(process) == "ready"
        for _ in range(23):
            plane.tagger.tag_again(process.pid, plane.tags(["eu"]))
            assert unjudged.found(process.pid) == []
        assert tag(plane, process.pid).processes[0].tgid == process.pid


_SHARED = f"""
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("{OUT4}", 443))
child = os.fork()
if not child:
    ctypes.CDLL(None).prctl(1, 9)
    time.sleep(60)
print(child, flush=True)
talk(sock)
"""


def test_a_socket_shared_with_an_untagged_process_is_refused_to_both(plane: Plane, servers: Network) -> None:
    """Promise 3: the only exception, and not by silence."""
    code = _CONNECT + _SHARED
    with plane.gated(servers["enclave"], ["/usr/bin/python3", "-c", code], []) as process:
        tag(plane, int(_line(process)))
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert _line(process) == "PermissionError"


def test_tagging_takes_little_time_where_many_sockets_are_open(plane: Plane, servers: Network) -> None:
    code = (
        "import socket, time\n"
        "kept = [socket.socket() for _ in range(1000)]\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with plane.gated(servers["enclave"], ["/usr/bin/python3", "-c", code], []) as process:
        assert _line(process) == "ready"
        began = time.monotonic()
        assert tag(plane, process.pid).sockets == 1000
        assert time.monotonic() - began < 5

"""Sockets that a tagged process did not make: handed over by an untagged one, or taken from it."""

import subprocess
import time

import pytest

from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import sockets
from tests.testbed import OUTSIDE, Network, Sniffer
from tests.testbed.plane import Plane

OUT = str(OUTSIDE.ip4)
POLICY = """
version: 1
data_classes:
  eu: {}
  open: {loopback: allow}
"""

# An untagged helper connects, and answers each line on its unix socket with the connected socket itself.
HELPER = f"""
import socket, sys
kind = getattr(socket, sys.argv[1])
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0" + sys.argv[2])
listener.listen()
print("ready", flush=True)
peer, _ = listener.accept()
connected = socket.socket(socket.AF_INET, kind)
connected.connect(("{OUT}", 443))
socket.send_fds(peer, [b"x"], [connected.fileno()])
peer.recv(1)
"""
RECEIVER = """
import socket, sys
kind = getattr(socket, sys.argv[1])
peer = socket.socket(socket.AF_UNIX)
peer.connect("\\0" + sys.argv[2])
_, fds, _, _ = socket.recv_fds(peer, 1, 1)
passed = socket.socket(fileno=fds[0])
try:
    passed.send(b"user data of a European")
    print("sent", flush=True)
except OSError as error:
    print(error.strerror, flush=True)
import time
time.sleep(0.5)
"""
TAKER = """
import ctypes, os, socket, sys, time
pidfd = os.pidfd_open(int(sys.argv[1]))
taken = socket.socket(fileno=ctypes.CDLL(None).syscall(438, pidfd, int(sys.argv[2]), 0))
try:
    taken.send(b"user data of a European")
except OSError:
    pass
time.sleep(0.3)
"""


def _python(program: str, *arguments: str) -> list[str]:
    return ["/usr/bin/python3", "-c", program, *arguments]


def _ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_a_connected_socket_that_an_untagged_process_passes(plane: Plane, servers: Network, kind: str) -> None:
    plane.apply(POLICY)
    where, name = servers["enclave"], f"lf-{kind}-{time.monotonic_ns()}"
    for classes, sent in (([], True), (["eu"], False)):
        with Sniffer(servers.router, "enclave") as sniffer:
            with plane.gated(where, _python(HELPER, kind, name), []) as helper:
                _ready(helper)
                plane.run(where, _python(RECEIVER, kind, name), classes)
            assert sniffer.saw(b"user data") is sent
    refusals = [e for e in plane.events(Stage.EGRESS) if e.verdict == Verdict.DENY]
    assert {e.reason for e in refusals} == {Reason.NO_RULE}


def test_a_socket_that_a_tagged_process_takes_from_another(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    where = servers["enclave"]
    keeper = (
        f"import socket,time; s=socket.create_connection(('{OUT}',443)); print(s.fileno(),flush=True); time.sleep(60)"
    )
    with plane.gated(where, _python(keeper), []) as owner, Sniffer(servers.router, "enclave") as sniffer:
        assert owner.stdout is not None
        descriptor = owner.stdout.readline().strip()
        plane.run(where, _python(TAKER, str(owner.pid), descriptor), ["eu"])
        assert not sniffer.saw(b"user data")
        plane.run(where, _python(TAKER, str(owner.pid), descriptor), [])
        assert not sniffer.saw(b"user data"), "a socket never loses a tag, whoever uses it next"


SERVER = """
import selectors, socket
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); udp.bind(("::", 9100))
tcp = socket.create_server(("::", 9100), family=socket.AF_INET6, backlog=1000, dualstack_ipv6=True)
select = selectors.DefaultSelector()
select.register(udp, 1); select.register(tcp, 1)
print("ready", flush=True)
while True:
    for key, _ in select.select():
        if key.fileobj is udp:
            data, address = udp.recvfrom(100); udp.sendto(data, address)
        elif key.fileobj is tcp:
            select.register(tcp.accept()[0], 1)
        else:
            data = key.fileobj.recv(100)
            if data: key.fileobj.sendall(data)
            else: select.unregister(key.fileobj); key.fileobj.close()
"""
FLOOD = """
import socket, time
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.connect(("127.0.0.1", 9100)); udp.settimeout(1)
end = time.monotonic() + 2
rounds = 0
while time.monotonic() < end:
    tcp = socket.create_connection(("127.0.0.1", 9100))
    for _ in range(20):
        tcp.sendall(b"x" * 50); assert tcp.recv(100)
        udp.send(b"x" * 50); assert udp.recv(100)
    tcp.close()
    rounds += 1
print(rounds)
"""


def test_an_untagged_server_is_left_alone_under_a_flood_of_tagged_local_clients(plane: Plane, servers: Network) -> None:
    """Its packets leave in softirq while a tagged client is current: that must not rub off."""
    plane.apply(POLICY)
    where = servers["enclave"]
    with plane.gated(where, _python(SERVER), []) as server:
        _ready(server)
        floods = [plane.gated(where, _python(FLOOD), ["open"]) for _ in range(2)]
        running = [flood.__enter__() for flood in floods]
        assert all(int(process.communicate(timeout=20)[0]) > 10 for process in running)
        for flood in floods:
            flood.__exit__(None, None, None)
        held = [sockets.tags_of(plane.maps, copy.fileno()) for _, copy in sockets.opened(server.pid)]
    assert held
    assert set(held) == {0}

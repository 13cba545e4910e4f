"""Ports and addresses on this host that several sockets receive from: a tagged one does not stand for the others."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address

import pytest

from landfast import event
from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import libbpf
from tests.testbed import Network
from tests.testbed.namespace import Namespace
from tests.testbed.plane import Plane

PORT, TRIES = 9000, 23
OWN, BROADCAST = "10.77.0.1", "10.77.0.200"

POLICY = f"""
version: 1
data_classes:
  eu: {{}}
  open:
    loopback: allow
  named:
    peers:
      - {{to: 127.255.255.255/32, ports: [udp/{PORT}], reason: announcements}}
"""

_PYTHON = ("/usr/bin/python3", "-ISc")

# Receives on an address, with SO_REUSEPORT and perhaps a program that picks the first of the group. Says "ready", and
# at the end of its input how much it has received.
_RECEIVER = """
import ctypes, select, socket, struct, sys
kind, family, address, picks = sys.argv[1:]
sock = socket.socket(getattr(socket, family), getattr(socket, kind))
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
sock.bind((address, 9000))
sock.setblocking(False)
received = []
def receive_all():
    while True:
        try:
            received.append(sock.accept() if kind == "SOCK_STREAM" else sock.recv(100))
        except BlockingIOError:
            return
if kind == "SOCK_STREAM":
    sock.listen()
if picks == "picks":
    first = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, 51, struct.pack("HxxxxxxP", 1, ctypes.addressof(first)))
print("ready", flush=True)
is_over = False
while not is_over:
    is_over = sys.stdin in select.select([sock, sys.stdin], [], [])[0]
    receive_all()
print(len(received), flush=True)
"""

# Sends one datagram, or connects, so many times, each from another port. Prints how often it was not refused.
_SENDER = """
import socket, sys
kind, family, address, times = sys.argv[1:]
sent = 0
for _ in range(int(times)):
    sock = socket.socket(getattr(socket, family), getattr(socket, kind))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    try:
        if kind == "SOCK_DGRAM":
            sock.sendto(b"data", (address, 9000))
        else:
            sock.settimeout(0.1)
            sock.connect((address, 9000))
        sent += 1
    except (PermissionError, TimeoutError):
        pass
print(sent)
"""


@contextmanager
def _receiver(
    plane: Plane, where: Namespace, way: Sequence[str], classes: Sequence[str], picks: str = ""
) -> Iterator[subprocess.Popen[str]]:
    with plane.gated(where, [*_PYTHON, _RECEIVER, *way, picks], classes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def _received(process: subprocess.Popen[str]) -> int:
    return int(process.communicate(timeout=30)[0])


def _send(
    plane: Plane, where: Namespace, way: Sequence[str], times: int = TRIES, classes: Sequence[str] = ("eu",)
) -> int:
    return int(plane.run(where, [*_PYTHON, _SENDER, *way, str(times)], classes))


@pytest.mark.parametrize(("classes", "sent"), [(["eu"], 0), (["open"], TRIES), (["named"], TRIES)])
def test_what_everybody_hears_is_for_no_class_unless_policy_names_it(
    plane: Plane, network: Network, classes: list[str], sent: int
) -> None:
    plane.apply(POLICY)
    way, heard = ("SOCK_DGRAM", "AF_INET", "127.255.255.255"), ("SOCK_DGRAM", "AF_INET", "0.0.0.0")
    with _receiver(plane, network["enclave"], heard, []) as stranger:
        with _receiver(plane, network["enclave"], heard, classes):
            assert _send(plane, network["enclave"], way, classes=classes) == sent
        assert _received(stranger) == sent


def test_a_broadcast_address_of_the_loopback_device_is_known_by_its_route(plane: Plane, network: Network) -> None:
    """The address looks like any other. Taken for the host's own, it passes sendmsg, and egress finds out."""
    where, way = network["enclave"], ("SOCK_DGRAM", "AF_INET", BROADCAST)
    with where.netlink() as link:
        link.addr("add", index=1, address=OWN, prefixlen=24, broadcast=BROADCAST)
    plane.apply(POLICY)
    libbpf.map_update(plane.maps.fd("local_addresses"), event.packed(IPv4Address(BROADCAST)), (1).to_bytes(8, "little"))
    with _receiver(plane, where, ("SOCK_DGRAM", "AF_INET", "0.0.0.0"), []) as stranger:
        with _receiver(plane, where, way, ["eu"]):
            assert _send(plane, where, way) == 0
        assert _received(stranger) == 0
    assert {e.reason for e in plane.events(Stage.EGRESS)} == {Reason.UNTAGGED_PEER}


WAYS = [
    (kind, *address)
    for kind in ("SOCK_STREAM", "SOCK_DGRAM")
    for address in (("AF_INET", "127.0.0.1"), ("AF_INET6", "::1"))
]


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_program_that_picks_the_receiver_makes_everybody_a_stranger(
    plane: Plane, network: Network, way: tuple[str, str, str]
) -> None:
    plane.apply(POLICY)
    with (
        _receiver(plane, network["enclave"], way, [], "picks") as stranger,
        _receiver(plane, network["enclave"], way, ["eu"]),
    ):
        assert _send(plane, network["enclave"], way) == 0
        assert _received(stranger) == 0
    assert {(e.verdict, e.reason) for e in plane.events() if e.verdict} == {(Verdict.DENY, Reason.UNTAGGED_PEER)}


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_fellows_share_a_port(plane: Plane, network: Network, way: tuple[str, str, str]) -> None:
    plane.apply(POLICY)
    with ExitStack() as stack:
        fellows = [stack.enter_context(_receiver(plane, network["enclave"], way, ["eu"])) for _ in range(2)]
        assert _send(plane, network["enclave"], way) == TRIES
        received = [_received(each) for each in fellows]
    assert sum(received) == TRIES
    assert min(received) > 0


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_stranger_that_shares_a_port_gets_nothing(plane: Plane, network: Network, way: tuple[str, str, str]) -> None:
    """The kernel picks by a hash of addresses and ports, and so does the lookup in egress, which knows them all."""
    plane.apply(POLICY)
    for classes, theirs in (["eu"], 0), ([], 1):
        with (
            _receiver(plane, network["enclave"], way, []) as stranger,
            _receiver(plane, network["enclave"], way, classes),
        ):
            _send(plane, network["enclave"], way, 101, classes)
            assert min(_received(stranger), 1) == theirs

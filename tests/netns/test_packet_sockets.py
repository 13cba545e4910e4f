"""Packet sockets by both of their names, where the kernel offers no BPF LSM: whoever asks for one is killed."""

import signal
import socket

import pytest

from landfast.verdict import Reason, Stage, Verdict
from tests.testbed import Network
from tests.testbed.plane import Plane

SOCK_PACKET = 10

POLICY = """
version: 1
data_classes:
  eu: {}
"""


@pytest.mark.parametrize(
    ("family", "kind"), [(socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, SOCK_PACKET)], ids=["new", "old"]
)
def test_a_tagged_process_that_asks_for_a_packet_socket_is_killed(
    plane: Plane, network: Network, family: socket.AddressFamily, kind: int
) -> None:
    plane.apply(POLICY)
    ask = ["/usr/bin/python3", "-ISc", f"import socket; socket.socket({int(family)}, {kind})"]
    with plane.gated(network["enclave"], ask, ["eu"]) as process:
        assert process.wait(30) == -signal.SIGKILL
    (event,) = plane.events(Stage.SYSCALL)
    assert (event.verdict, event.reason, event.family) == (Verdict.DENY, Reason.FORBIDDEN_FAMILY, socket.AF_PACKET)

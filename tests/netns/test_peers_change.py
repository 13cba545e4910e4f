"""Verdicts about local peers must follow the peers: whoever holds a port now is who is asked."""

import subprocess

from tests.testbed import Network
from tests.testbed.plane import Plane

POLICY = """
version: 1
data_classes:
  eu:
    peers:
      - {to: 127.0.0.53/32, ports: [udp/9000], reason: the resolver}
"""

SENDER = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect(("127.0.0.1", 9001))
print("ready", flush=True)
for line in sys.stdin:
    try:
        client.send(b"user data")
        print("sent", flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
"""
RECEIVER = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 9001))
print("ready", flush=True)
while True:
    sock.recv(100)
    print("received", flush=True)
"""


def _ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def _ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def test_an_untagged_process_takes_over_the_port_of_a_tagged_one(plane: Plane, servers: Network) -> None:
    """On a connected UDP socket no system call names the peer anew."""
    plane.apply(POLICY)
    where, receiver = servers["enclave"], ["/usr/bin/python3", "-c", RECEIVER]
    with plane.gated(where, receiver, ["eu"]) as peer:
        _ready(peer)
        client = plane.gated(where, ["/usr/bin/python3", "-c", SENDER], ["eu"])
        sender = client.__enter__()
        _ready(sender)
        assert _ask(sender) == "sent"
    with plane.gated(where, receiver, []) as relay:
        _ready(relay)
        _ask(sender)  # may still report that the port was closed for a while
        assert _ask(sender) == "Operation not permitted"
    with plane.gated(where, receiver, ["eu"]) as peer:
        _ready(peer)
        assert _ask(sender) == "sent", "a refusal must not outlive its reason either"
    client.__exit__(None, None, None)

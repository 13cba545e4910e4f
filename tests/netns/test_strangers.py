"""Who carries no tags is left alone, also while soft interrupts of tagged processes do its work."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from landfast.verdict import Stage
from tests.testbed import ENCLAVE, Network
from tests.testbed.plane import Plane

ECHO = Path(__file__).parents[1] / "testbed" / "echo.py"
PYTHON = ["/usr/bin/python3", "-IS"]
PORT = 9000
POLICY = """
version: 1
data_classes:
  eu:
    peers: [{to: 127.0.0.1/32, ports: [tcp/9000, udp/9000], reason: a service that everybody uses}]
"""
#: Talks to the local server without end, over a connection of each kind that it keeps and over new ones.
FLOOD = """
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("127.0.0.1", 9000))
kept = socket.create_connection(("127.0.0.1", 9000))
print("ready", flush=True)
while True:
    for connection in (kept, udp):
        connection.send(b"x" * 1000)
        connection.recv(1000)
    with socket.create_connection(("127.0.0.1", 9000)) as fresh:
        fresh.send(b"y")
        fresh.recv(1)
"""
_DENIED = 2  # LF_C_DENY


@contextmanager
def _ready(plane: Plane, network: Network, argv: Sequence[str | Path], classes: Sequence[str]) -> Iterator[None]:
    with plane.gated(network["enclave"], argv, classes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield


def test_an_untagged_server_under_a_flood_of_tagged_clients_loses_nothing_to_others(
    plane: Plane, network: Network
) -> None:
    plane.apply(POLICY)
    with ExitStack() as running:
        running.enter_context(_ready(plane, network, [*PYTHON, ECHO, str(PORT)], []))
        for _ in range(3):
            running.enter_context(_ready(plane, network, [*PYTHON, "-c", FLOOD], ["eu"]))
        attempts = [(way, str(ENCLAVE.ip4), PORT) for way in ("tcp", "udp")] * 150
        assert plane.attempt(network["outside"], attempts, []) == ["ok"] * 300
        assert plane.attempt(network["enclave"], attempts, []) == ["ok"] * 300
    assert plane.count(Stage.EGRESS, _DENIED) == 0

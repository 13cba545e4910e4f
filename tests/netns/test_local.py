"""Peers on the same host, and servers that are tagged themselves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from landfast.verdict import Reason, Verdict
from tests.testbed import DATA_CENTRE, ENCLAVE, OUTSIDE, Network, Sniffer, eventually
from tests.testbed.plane import Plane
from tests.testbed.servers import answers

ECHO = Path(__file__).parents[1] / "testbed" / "echo.py"
OWN4, OWN6 = str(ENCLAVE.ip4), str(ENCLAVE.ip6)
PORT = 9000

POLICY = """
version: 1
data_classes:
  eu:
    serve:
      - {from: 10.20.0.0/16, ports: [tcp/9000, udp/9000], reason: moderation tools}
      - {from: "2001:db8:20::/64", ports: [tcp/9000, udp/9000], reason: moderation tools}
    peers:
      - {to: 127.0.0.53/32, ports: [tcp/9000, udp/9000], reason: the resolver}
  billing: {}
  open:
    loopback: allow
  shut:
    loopback: deny
"""


@contextmanager
def _server(plane: Plane, network: Network, classes: Sequence[str], port: int = PORT) -> Iterator[None]:
    """An echo server on all addresses of the enclave host, tagged with `classes`."""
    argv = ["/usr/bin/python3", "-IS", ECHO, str(port)]
    with plane.gated(network["enclave"], argv, classes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield


LOCAL = ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", OWN4, OWN6, f"::ffff:{OWN4}", "::ffff:127.0.0.1"]


@pytest.fixture
def own_addresses(plane: Plane) -> None:
    """What the daemon does in the host's network namespace: tells the connect hook which addresses are its own."""
    from landfast_agent import libbpf

    for address in (ENCLAVE.ip4, ENCLAVE.ip6):
        packed = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
        libbpf.map_update(plane.maps.fd("local_addresses"), packed, (1).to_bytes(8, "little"))


@pytest.mark.parametrize("address", LOCAL)
@pytest.mark.parametrize("way", ["tcp", "udp"])
@pytest.mark.usefixtures("own_addresses")
def test_a_local_relay_is_no_way_out(plane: Plane, network: Network, way: str, address: str) -> None:
    plane.apply(POLICY)
    with _server(plane, network, []):
        assert plane.attempt(network["enclave"], [(way, address, PORT)]) == ["EPERM"]
    refusals = [e for e in plane.events() if e.verdict == Verdict.DENY]
    assert {(e.reason, e.local) for e in refusals} == {(Reason.UNTAGGED_PEER, True)}


@pytest.mark.parametrize("address", LOCAL)
@pytest.mark.parametrize("way", ["tcp", "udp"])
@pytest.mark.usefixtures("own_addresses")
def test_a_peer_of_the_same_class_is_reached(plane: Plane, network: Network, way: str, address: str) -> None:
    plane.apply(POLICY)
    with _server(plane, network, ["eu"]):
        assert plane.attempt(network["enclave"], [(way, address, PORT)]) == ["ok"]


def test_the_peer_must_carry_every_class(plane: Plane, network: Network) -> None:
    plane.apply(POLICY)
    with _server(plane, network, ["eu"]):
        assert plane.attempt(network["enclave"], [("tcp", "::1", PORT)], ["eu", "billing"]) == ["EPERM"]
    with _server(plane, network, ["eu", "billing"]):
        assert plane.attempt(network["enclave"], [("tcp", "::1", PORT)], ["eu", "billing"]) == ["ok"]


def test_a_handshake_is_not_refused_when_the_policy_changes_in_its_middle(plane: Plane, network: Network) -> None:
    """The last packet of the handshake meets a socket that is not complete yet. No verdict is remembered here: the
    generation that is asked for is none that answers carry.
    """
    plane.apply(POLICY)
    plane.maps.control.set("generation", plane.maps.control.get("generation") + 2)
    with _server(plane, network, ["eu"]):
        assert plane.attempt(network["enclave"], [("tcp", "127.0.0.1", PORT), ("tcp", "::1", PORT)] * 3) == ["ok"] * 6
    assert [e for e in plane.events() if e.verdict == Verdict.DENY] == []


def test_peers_rules_name_exceptions(plane: Plane, network: Network) -> None:
    plane.apply(POLICY)
    with _server(plane, network, []), _server(plane, network, [], PORT + 1):
        attempts = [("udp", "127.0.0.53", PORT), ("tcp", "127.0.0.53", PORT), ("tcp", "127.0.0.54", PORT)]
        attempts += [("tcp", "127.0.0.53", PORT + 1)]
        assert plane.attempt(network["enclave"], attempts) == ["ok", "ok", "EPERM", "EPERM"]


def test_loopback_allow_and_deny(plane: Plane, network: Network) -> None:
    plane.apply(POLICY)
    with _server(plane, network, []):
        assert plane.attempt(network["enclave"], [("tcp", "::1", PORT)], ["open"]) == ["ok"]
        assert plane.attempt(network["enclave"], [("tcp", "::1", PORT)], ["open", "eu"]) == ["EPERM"]
    with _server(plane, network, ["shut"]):
        assert plane.attempt(network["enclave"], [("tcp", "::1", PORT)], ["shut"]) == ["EPERM"]


def test_an_untagged_client_of_a_tagged_server_is_told_so(plane: Plane, network: Network) -> None:
    plane.apply(POLICY)
    with _server(plane, network, ["eu"]):
        assert plane.attempt(network["enclave"], [("tcp", "127.0.0.1", PORT)], []) == ["EPERM"]
    plane.apply(POLICY.replace("10.20.0.0/16", "127.0.0.0/8"))
    with _server(plane, network, ["eu"]):
        assert plane.attempt(network["enclave"], [("tcp", "127.0.0.1", PORT)], []) == ["ok"]


@pytest.mark.parametrize(("address", "other"), [(OWN4, str(OUTSIDE.ip4)), (OWN6, str(OUTSIDE.ip6))])
@pytest.mark.parametrize("way", ["tcp", "udp"])
def test_a_tagged_server_answers_its_clients_and_nobody_else(
    plane: Plane, network: Network, way: str, address: str, other: str
) -> None:
    plane.apply(POLICY)
    with _server(plane, network, ["eu"]), Sniffer(network.router, "enclave") as sniffer:
        assert plane.attempt(network["datacentre"], [(way, address, PORT)], []) == ["ok"]
        assert plane.attempt(network["outside"], [(way, address, PORT)], []) == ["timeout"]
        assert sniffer.frames(to=f"{other}/{128 if ':' in other else 32}") == []


def test_serving_is_no_permission_to_call(plane: Plane, network: Network) -> None:
    """The address of a client may be answered from the served port, not talked to of one's own accord."""
    plane.apply(POLICY)
    with Sniffer(network.router, "enclave") as sniffer:
        attempts = [("tcp", str(DATA_CENTRE.ip4), PORT), ("udp", str(DATA_CENTRE.ip4), PORT)]
        assert plane.attempt(network["enclave"], attempts) == ["EPERM", "EPERM"]
        bound = (
            "import socket as s; u=s.socket(s.AF_INET,s.SOCK_DGRAM); u.bind(('',9000)); u.sendto(b'x',('10.20.0.10',9))"
        )
        plane.run(network["enclave"], ["/usr/bin/python3", "-c", bound], ["eu"], stderr=-3)
        assert sniffer.frames(to="10.20.0.0/16") == []


def test_revoking_serve_cuts_an_accepted_connection(plane: Plane, network: Network) -> None:
    plane.apply(POLICY)
    talk = (
        "import socket,sys\n"
        f"s=socket.create_connection(('{OWN4}',{PORT}))\n"
        "for line in sys.stdin:\n"
        "    s.settimeout(1); s.sendall(b'x')\n"
        "    try: print(s.recv(10)==b'x',flush=True)\n"
        "    except OSError: print('nothing',flush=True)\n"
    )
    with (
        _server(plane, network, ["eu"]),
        plane.gated(network["datacentre"], ["/usr/bin/python3", "-c", talk], []) as client,
    ):
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write("1\n")
        client.stdin.flush()
        assert client.stdout.readline() == "True\n"
        plane.apply(POLICY.replace("10.20.0.0/16", "10.30.0.0/16"))
        client.stdin.write("2\n")
        client.stdin.flush()
        assert client.stdout.readline() == "nothing\n"


def test_what_the_servers_in_these_tests_prove(network: Network, plane: Plane) -> None:
    """Without tags every one of the addresses above is reached."""
    plane.apply(POLICY)
    with _server(plane, network, []):
        eventually(lambda: answers(network["enclave"], PORT), "the server listens")
        results = plane.attempt(network["enclave"], [(way, a, PORT) for a in LOCAL for way in ("tcp", "udp")], [])
    assert results == ["ok"] * len(results)

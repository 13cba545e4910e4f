"""Clients that ask a tagged listener: a stranger gets no answer, not even one that belongs to no socket."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from landfast.verdict import Reason, Stage, Verdict
from landfast_agent.backstop import Backstop
from tests.testbed import ENCLAVE, OUTSIDE, Network, Sniffer
from tests.testbed.plane import Plane

ECHO = Path(__file__).parents[1] / "testbed" / "echo.py"
PORT = 9000
HERE = [str(ENCLAVE.ip4), str(ENCLAVE.ip6)]
POLICY = """
version: 1
data_classes:
  eu:
    serve:
      - {from: 10.20.0.0/16, ports: [tcp/9000], reason: moderation tools}
      - {from: "2001:db8:20::/64", ports: [tcp/9000], reason: moderation tools}
  watched:
    mode: audit
"""


@pytest.fixture(params=["0", "2"], ids=["no cookies", "cookies"], autouse=True)
def answered_at(request: pytest.FixtureRequest, network: Network) -> Iterator[Stage]:
    """Every handshake by cookie, or none; and where its answer is judged."""
    network["enclave"].sysctl(f"net.ipv4.tcp_syncookies={request.param}")
    yield Stage.DEVICE if int(request.param) else Stage.EGRESS
    network["enclave"].sysctl("net.ipv4.tcp_syncookies=1")


@contextmanager
def _server(plane: Plane, network: Network, classes: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with plane.gated(network["enclave"], ["/usr/bin/python3", "-IS", ECHO, str(PORT)], classes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        backstop = Backstop(plane.instance, plane.maps)
        try:
            backstop.cover([process.pid])
            yield process
        finally:
            backstop.end()


@pytest.mark.parametrize(("address", "stranger"), [(HERE[0], OUTSIDE.ip4), (HERE[1], OUTSIDE.ip6)], ids=["4", "6"])
def test_a_stranger_gets_no_answer(
    plane: Plane, network: Network, answered_at: Stage, address: str, stranger: object
) -> None:
    plane.apply(POLICY)
    with _server(plane, network, ["eu"]), Sniffer(network.router, "enclave") as sniffer:
        plane.events()
        assert plane.attempt(network["outside"], [("tcp", address, PORT)] * 3, []) == ["timeout"] * 3
        assert sniffer.frames(to=f"{stranger}/{128 if ':' in address else 32}") == []
    refusals = [e for e in plane.events() if e.verdict]
    assert {(e.stage, e.verdict, e.reason) for e in refusals} == {(answered_at, Verdict.DENY, Reason.NO_RULE)}
    assert {(e.remote, e.local_port, e.serving, e.local) for e in refusals} == {(stranger, PORT, True, False)}


@pytest.mark.parametrize("address", HERE)
def test_who_is_served_gets_through(plane: Plane, network: Network, address: str) -> None:
    plane.apply(POLICY)
    with _server(plane, network, ["eu"]):
        assert plane.attempt(network["datacentre"], [("tcp", address, PORT)] * 23, []) == ["ok"] * 23
    assert {e.verdict for e in plane.events() if e.verdict} == {Verdict.ALLOW}


def test_audit_records_a_stranger_and_answers(plane: Plane, network: Network) -> None:
    plane.apply(POLICY)
    with _server(plane, network, ["watched"]):
        plane.events()
        assert plane.attempt(network["outside"], [("tcp", HERE[0], PORT)], []) == ["ok"]
    assert {e.verdict for e in plane.events() if e.verdict} == {Verdict.WOULD_DENY}


def test_an_untagged_server_answers_everybody(plane: Plane, network: Network) -> None:
    plane.apply(POLICY)
    with _server(plane, network, []):
        plane.events()
        assert plane.attempt(network["outside"], [("tcp", a, PORT) for a in HERE], []) == ["ok"] * 2
    assert [e for e in plane.events() if e.verdict] == []

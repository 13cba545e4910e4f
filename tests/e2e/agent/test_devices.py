"""The backstop at the network links: frames of tagged senders that no socket hook sees, or not as they leave."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from tests.e2e.agent.frames import PORT, frame, frame_sender
from tests.e2e.agent.host import Host, running
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Sniffer, eventually

_IN, _OUT = str(DATA_CENTRE.ip4), str(OUTSIDE.ip4)
_VXLAN = 4789
_POLICY = f"""\
version: 1
data_classes:
  eu:
    forbidden_calls: audit  # the guard on system calls lets it pass, so that it is the backstop that refuses
    allow:
      - {{to: 10.20.0.0/16, ports: [udp/{PORT}], reason: replication}}
      - {{to: "2001:db8:20::/64", ports: [udp/{PORT}], reason: replication}}
  watched:
    mode: audit
"""
_PYTHON = ["/usr/bin/python3", "-IS", "-c"]
#: FAMILY ADDRESS PORT SIZE: a datagram.
_DATAGRAM = """
import socket, sys
family, address, port, size = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
socket.socket(family, socket.SOCK_DGRAM).sendto(b"u" * size, (address, port))
"""
#: INSTANCE WHAT: the filter of kernels without tcx, at eth0.
_FILTER = """
import os, socket, sys
from landfast_agent import filters, libbpf
from landfast_agent.instance import Instance
instance, index = Instance(sys.argv[1]), socket.if_nametoindex("eth0")
program = libbpf.obj_get(instance.pins / "programs" / "lf_device")
wanted = libbpf.prog_info(program).id
if sys.argv[2] == "attach":
    filters.attach(instance, index, program, wanted)
if sys.argv[2] == "remove":
    filters.remove(instance)
print(filters.attached(instance, index) == wanted)
"""


@pytest.fixture(scope="module")
def local(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host whose network links the tests change, and change back."""
    with running(network["enclave"], tmp_path_factory.mktemp("devices"), _POLICY) as made:
        yield made


@pytest.fixture
def wire(network: Network) -> Iterator[Sniffer]:
    """What leaves the enclave."""
    with Sniffer(network.router, "enclave") as sniffer:
        yield sniffer


def _watched(host: Host) -> dict[str, str]:
    """Network links and what is wrong with each, as `status` tells."""
    return {device["name"]: device["problem"] for device in host.json("status")["devices"]}


def _ip(host: Host, *words: str) -> None:
    done = host.where.run(["ip", *words])
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def _link(host: Host, name: str, *words: str) -> Iterator[None]:
    """A network link, once it is watched."""
    _ip(host, "link", "add", name, *words)
    try:
        eventually(lambda: _watched(host).get(name) == "", f"{name} is watched")
        yield
    finally:
        _ip(host, "link", "del", name)


@pytest.fixture
def packet(network: Network) -> Iterator[socket.socket]:
    """A packet socket of an untagged process of the host."""
    with network["enclave"].socket(socket.AF_PACKET, socket.SOCK_RAW) as made:
        made.bind(("eth0", 0))
        yield made


def _datagram(host: Host, address: str, port: int, size: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    done = host.exec(*_PYTHON, _DATAGRAM, str(int(family)), address, str(port), str(size))
    assert (done.returncode, done.stderr) == (0, "")


def _refusals(host: Host, **fields: Any) -> list[dict[str, Any]]:
    """Denials at network links with those fields."""
    found = [event for event in host.events("--denied") if event["stage"] == "DEVICE"]
    return [event for event in found if all(event[name] == value for name, value in fields.items())]


def test_from_elsewhere_status_tells_of_the_daemons_namespace(local: Host, network: Network) -> None:
    inside = local.json("status")["devices"]
    elsewhere = network.router.run(local.command("status", "--json"))
    assert json.loads(elsewhere.stdout)["devices"] == inside
    found = json.loads(network.router.run(local.command("doctor", "--json")).stdout)
    (attached,) = [each for each in found if each["name"] == "attached"]
    assert attached["ok"], attached["detail"]


def test_every_link_but_loopback_is_watched_from_its_beginning_to_its_end(local: Host) -> None:
    assert _watched(local) == {"eth0": ""}
    with _link(local, "veth7", "type", "veth", "peer", "name", "veth8"):
        eventually(lambda: _watched(local) == dict.fromkeys(("eth0", "veth7", "veth8"), ""), "both ends are watched")
    assert _watched(local) == {"eth0": ""}
    assert len(os.listdir(local.instance.pins / "devices")) == 1
    assert "1 of 1 network links watched" in local.run("status").stdout


def test_a_frame_on_a_passed_packet_socket_does_not_leave(local: Host, wire: Sniffer, packet: socket.socket) -> None:
    """It is the sender's tags that count: others who hold the same socket go on sending."""
    with frame_sender(local.where, packet) as nobody, frame_sender(local.where, packet, local.tagged) as tagged:
        assert tagged(frame(b"a European's")) == "ENOBUFS"
        assert nobody(frame(b"nobody's")) == "sent"
    assert wire.saw(b"nobody's")
    assert not wire.saw(b"a European's")
    eventually(lambda: len(_refusals(local, family="AF_PACKET")) == 1, "the refusal is recorded")
    (event,) = _refusals(local, family="AF_PACKET")
    assert (event["reason"], event["classes"], event["process"]["name"]) == ("FORBIDDEN_FAMILY", ["eu"], "python3")
    assert "frame(AF_PACKET) on interface 2  FORBIDDEN_FAMILY" in local.run("events", "--denied", "--last", "0").stdout


def test_classes_in_audit_mode_are_recorded_and_pass(local: Host, wire: Sniffer, packet: socket.socket) -> None:
    with frame_sender(local.where, packet, partial(local.tagged, classes="watched")) as send:
        assert send(frame(b"only watched")) == "sent"
    assert wire.saw(b"only watched")
    eventually(lambda: bool(_refusals(local, classes=["watched"])), "it is recorded")
    assert {event["verdict"] for event in _refusals(local, classes=["watched"])} == {"WOULD_DENY"}


def test_a_tunnel_does_not_lead_elsewhere(local: Host, wire: Sniffer) -> None:
    """The packet is for an approved address, and leaves inside of one that is for another."""
    tunnel = ["type", "vxlan", "id", "5", "remote", _OUT, "dstport", str(_VXLAN)]
    with _link(local, "vxlan5", *tunnel):
        local.where.sysctl("net.ipv6.conf.vxlan5.disable_ipv6=1")
        _ip(local, "link", "set", "vxlan5", "up")
        _ip(local, "neigh", "add", _IN, "lladdr", "02:00:00:00:00:01", "dev", "vxlan5")
        _ip(local, "route", "add", f"{_IN}/32", "dev", "vxlan5")
        wire.clear()
        local.where.run([*_PYTHON, _DATAGRAM, "2", _IN, str(PORT), "100"])
        assert [(str(frame.destination), frame.port) for frame in wire.frames()] == [(_OUT, _VXLAN)]
        wire.clear()
        _datagram(local, _IN, PORT, 100)
        assert wire.frames() == []
    eventually(lambda: len(_refusals(local, port=_VXLAN)) == 1, "the refusal is recorded")
    (event,) = _refusals(local, port=_VXLAN)
    assert (event["remote"], event["reason"], event["classes"]) == (_OUT, "NO_RULE", ["eu"])


@pytest.mark.parametrize(("address", "parts"), [(_IN, 3), (str(DATA_CENTRE.ip6), 3)])
def test_what_is_allowed_leaves_in_fragments(local: Host, wire: Sniffer, address: str, parts: int) -> None:
    local.where.run(["ping", "-c1", "-W2", address])  # so that no fragment waits for the neighbour's address
    wire.clear()
    _datagram(local, address, PORT, 4000)
    assert [str(frame.destination) for frame in wire.frames()] == [address] * parts


def _filter(host: Host, what: str) -> bool:
    """Whether our filter hangs at eth0 after `what` was done."""
    done = host.where.run([sys.executable, "-c", _FILTER, host.instance.name, what])
    assert done.stderr == ""
    return done.stdout == "True\n"


def test_kernels_without_tcx_have_a_filter(fresh: Host, wire: Sniffer, packet: socket.socket) -> None:
    fresh.policy.write_text(_POLICY)
    with fresh.start() as daemon, frame_sender(fresh.where, packet, fresh.tagged) as send:
        daemon.stop()
        for pin in (fresh.instance.pins / "devices").iterdir():
            pin.unlink()
        assert not _filter(fresh, "look")
        assert send(frame(b"without the backstop")) == "sent"
        for _ in range(2):
            assert _filter(fresh, "attach")
        assert send(frame(b"with a filter")) == "ENOBUFS"
        assert not _filter(fresh, "remove")
        assert send(frame(b"without it again")) == "sent"
    assert wire.saw(b"without the backstop")
    assert wire.saw(b"without it again")
    assert not wire.saw(b"with a filter")

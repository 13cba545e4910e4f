"""The backstop follows tagged processes into network namespaces that are not the agent's."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.agent.frames import frame, frame_sender
from tests.e2e.agent.host import Host, running
from tests.testbed import ENCLAVE, Namespace, Network, Program, Sniffer, eventually
from tests.testbed.bpf_objects import detach, identity

_SLEEP = ["sleep", "1000"]
#: The guard on system calls lets it pass, so that it is the backstop that refuses.
_POLICY = "version: 1\ndata_classes:\n  eu: {forbidden_calls: audit}\n"


@pytest.fixture(scope="module")
def agent(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Its own network namespace is another one than that of the tagged processes."""
    with running(network["enclave"], tmp_path_factory.mktemp("backstop"), _POLICY) as made:
        yield made


@pytest.fixture
def cell() -> Iterator[Network]:
    """A network namespace like a container's, with one link, and the far side of it."""
    with Network(sites=(ENCLAVE,)) as made:
        yield made


@pytest.fixture
def packet(cell: Network) -> Iterator[socket.socket]:
    with cell["enclave"].socket(socket.AF_PACKET, socket.SOCK_RAW) as made:
        made.bind(("eth0", 0))
        yield made


def _inode(where: Namespace) -> int:
    return os.stat(where.path).st_ino


def _watched(agent: Host, where: Namespace) -> dict[str, str]:
    """Network links of a namespace and what is wrong with each, as `status` tells."""
    found = agent.json("status")["devices"]
    return {each["name"]: each["problem"] for each in found if each["namespace"] == _inode(where)}


def _pins(agent: Host) -> set[Path]:
    return set((agent.instance.pins / "devices").iterdir())


def _altered(agent: Host) -> list[str]:
    return [event["fields"]["what"] for event in agent.notices("HOOKS_ALTERED")]


def _ip(where: Namespace, *words: str) -> None:
    done = where.run(["ip", *words])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_frame_on_a_passed_packet_socket_does_not_leave_a_namespace(
    agent: Host, cell: Network, packet: socket.socket
) -> None:
    """`exec` starts its program when the backstop hangs there."""
    where = cell["enclave"]
    with (
        Sniffer(cell.router, "enclave") as wire,
        frame_sender(where, packet) as nobody,
        frame_sender(where, packet, agent.tagged) as tagged,
    ):
        assert tagged(frame(b"a European's")) == errno.errorcode[errno.ENOBUFS]
        assert nobody(frame(b"nobody's")) == "sent"
        assert wire.saw(b"nobody's")
        assert not wire.saw(b"a European's")


def test_tag_returns_when_the_links_of_the_namespace_are_watched(agent: Host, cell: Network, tmp_path: Path) -> None:
    where = cell["enclave"]
    with Program(_SLEEP, tmp_path / "log", where) as program:
        eventually(lambda: os.stat(f"/proc/{program.pid}/ns/net").st_ino == _inode(where), "it is in its namespace")
        before = _pins(agent)
        assert agent.run("tag", str(program.pid), "--class", "eu").returncode == 0
        assert len(_pins(agent) - before) == 1
        assert _watched(agent, where) == {"eth0": ""}


def test_links_that_come_later_are_watched(agent: Host, cell: Network, packet: socket.socket) -> None:
    where = cell["enclave"]
    with frame_sender(where, packet, agent.tagged) as tagged:
        _ip(where, "link", "add", "late0", "type", "veth", "peer", "name", "late1")
        eventually(lambda: _watched(agent, where) == dict.fromkeys(("eth0", "late0", "late1"), ""), "all are watched")
        _ip(where, "link", "set", "late0", "up")
        _ip(where, "link", "set", "late1", "up")
        packet.bind(("late0", 0))
        assert tagged(frame(b"a European's")) == errno.errorcode[errno.ENOBUFS]
        _ip(where, "link", "del", "late0")
        eventually(lambda: _watched(agent, where) == {"eth0": ""}, "what is gone is forgotten")
    assert _altered(agent) == []


def test_a_namespace_that_goes_takes_its_links_along(agent: Host, tmp_path: Path) -> None:
    before = _pins(agent)
    with Network(sites=(ENCLAVE,)) as cell, Program(agent.tagged(*_SLEEP), tmp_path / "log", cell["enclave"]):
        eventually(lambda: _watched(agent, cell["enclave"]) == {"eth0": ""}, "it is watched")
        assert len(_pins(agent) - before) == 1
    eventually(lambda: _pins(agent) <= before, "its pins are gone")
    assert _altered(agent) == []


@pytest.mark.parametrize(("way", "told"), [(Path.unlink, "lost its pin"), (detach, "lost the backstop")])
def test_what_somebody_takes_away_is_told_and_put_back(
    agent: Host, cell: Network, packet: socket.socket, way: Any, told: str
) -> None:
    where, before, known = cell["enclave"], _pins(agent), len(_altered(agent))
    with frame_sender(where, packet, agent.tagged) as tagged:
        eventually(lambda: len(_pins(agent) - before) == 1, "it is watched")
        (pin,) = _pins(agent) - before
        way(pin)
        eventually(lambda: len(_altered(agent)) > known, "an event", 30)
        assert _altered(agent)[known:] == [f"network link eth0 of namespace {_inode(where)} {told}"]
        eventually(pin.exists, "the pin is back")
        eventually(lambda: _watched(agent, where) == {"eth0": ""}, "it is put right")
        assert tagged(frame(b"a European's")) == errno.errorcode[errno.ENOBUFS]


def test_an_agent_that_was_dead_meanwhile_comes_back_to_it(fresh: Host, cell: Network, packet: socket.socket) -> None:
    """What hangs there stays; links that came meanwhile are watched from then on."""
    where = cell["enclave"]
    fresh.policy.write_text(_POLICY)
    with fresh.start() as daemon, frame_sender(where, packet, fresh.tagged) as tagged:
        before = {identity(pin) for pin in _pins(fresh)}
        daemon.kill()
        assert tagged(frame(b"a European's")) == errno.errorcode[errno.ENOBUFS]
        _ip(where, "link", "add", "late0", "type", "veth", "peer", "name", "late1")
        assert _watched(fresh, where)["late0"] == "not watched"
        with fresh.start():
            eventually(lambda: set(_watched(fresh, where).values()) == {""}, "all are watched")
            assert before < {identity(pin) for pin in _pins(fresh)}
    assert fresh.run("unload", "--force", "--reason", "test").returncode == 0
    assert not fresh.instance.pins.exists()

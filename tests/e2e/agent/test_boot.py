"""Enforcement precedes the network: the unit's order, and what "ready" means to the service manager."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from landfast_agent import image
from tests.e2e.agent.host import Host
from tests.testbed import OUTSIDE, Namespace, Program, owned
from tests.testbed.leftovers import remove_instance

UNIT = Path(__file__).parents[3] / "packaging/systemd/landfast-agent.service"


def unit() -> dict[str, dict[str, list[str]]]:
    """Words by section and key: a key may be given several times."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).extend(value.split())
    return found


def test_the_unit_is_ready_before_any_interface_is_up() -> None:
    """systemd.special(7): network-pre.target is reached before any network is configured, if somebody wants it."""
    found = unit()
    assert "network-pre.target" in found["Unit"]["Before"]
    assert "network-pre.target" in found["Unit"]["Wants"]
    assert found["Unit"]["DefaultDependencies"] == ["no"], "else it would wait for basic.target"
    assert not [word for word in found["Unit"]["After"] if word.startswith(("network", "basic", "sysinit"))]
    assert found["Install"]["WantedBy"] == ["sysinit.target"]
    assert found["Service"]["Type"] == ["notify"], "what is ordered after it waits until it enforces"


def test_the_unit_waits_for_the_first_compilation() -> None:
    assert int(unit()["Service"]["TimeoutStartSec"][0]) > image.PATIENCE_S


@pytest.fixture
def unplugged(tmp_path: Path) -> Iterator[Host]:
    """A host that has no network yet."""
    with Namespace(owned("lft")) as nowhere:
        made = Host(nowhere, tmp_path)
        yield made
        remove_instance(made.instance.name)


def test_when_it_says_ready_the_policy_on_disk_is_enforced(unplugged: Host, tmp_path: Path) -> None:
    unplugged.start().stop()
    shutil.rmtree(unplugged.instance.pins)  # a reboot leaves nothing in the kernel
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(90)
        command = ["env", f"NOTIFY_SOCKET={tmp_path / 'notify'}", *unplugged.command("run", "--config", "/dev/null")]
        with Program(command, unplugged.log, unplugged.where):
            assert manager.recv(100) == b"READY=1"
            found = unplugged.json("status")
            assert (found["policy"]["version"], found["problems"]) == (1, [])
            assert unplugged.attempt(("tcp", str(OUTSIDE.ip4), 443)) == ["EPERM"]

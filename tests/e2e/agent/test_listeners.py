"""A refusal on the host itself tells who listens there, and why that is not enough."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from landfast.event import Event, packed
from landfast.v1.batch_pb2 import Process
from landfast.verdict import Protocol
from landfast_agent.listeners import Listeners
from landfast_agent.maps import Maps
from tests.e2e.agent.host import Host, running
from tests.testbed import ENCLAVE, Cgroup, Network, Program, eventually, owned

_ECHO = Path(__file__).parents[2] / "testbed" / "echo.py"
_OWN = str(ENCLAVE.ip4)
_POLICY = """\
version: 1
data_classes:
  eu: {}
  billing: {}
  shut:
    loopback: deny
"""


@pytest.fixture(scope="module")
def local(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with a policy about local peers."""
    with running(network["enclave"], tmp_path_factory.mktemp("local"), _POLICY) as made:
        yield made


@contextmanager
def _server(host: Host, directory: Path, port: int, classes: str = "", cgroup: Cgroup | None = None) -> Iterator[int]:
    """An echo server on all addresses; its process id."""
    argv: list[str | Path] = ["/usr/bin/python3", "-IS", _ECHO, str(port)]
    command = host.tagged(*argv, classes=classes) if classes else argv
    with Program(command, directory / f"{port}.log", host.where, cgroup) as program:
        yield program.ready(lambda: "ready" in program.output).pid


def _refusals(host: Host, port: int) -> list[dict[str, Any]]:
    return [event for event in host.events("--denied") if event["port"] == port and event["reason"] == "UNTAGGED_PEER"]


def _listener(host: Host, port: int) -> Any:
    """What the refusals at a port say, which is the same for all."""
    eventually(lambda: bool(_refusals(host, port)), "they are stored")
    told = {json.dumps(event["listener"]) for event in _refusals(host, port)}
    assert len(told) == 1
    return json.loads(told.pop())


@pytest.mark.parametrize(
    ("port", "way", "address"),
    [
        (9001, "tcp", "127.0.0.1"),
        (9002, "udp", "127.0.0.1"),
        (9003, "tcp", "::1"),
        (9004, "udp", "::1"),
        (9005, "tcp", _OWN),
        (9006, "tcp", "0.0.0.0"),
        (9007, "udp_connected", "127.9.9.9"),
    ],
)
def test_the_untagged_listener_is_named(local: Host, tmp_path: Path, port: int, way: str, address: str) -> None:
    with _server(local, tmp_path, port) as pid:
        assert local.attempt((way, address, port)) == ["EPERM"]
        assert _listener(local, port) == {
            "present": True,
            "pid": pid,
            "name": "python3",
            "unit": "",
            "classes": [],
            "lacks": ["eu"],
        }
    line = f"(python3[{pid}] lacks eu: tag it, or name it under `peers`)"
    assert line in local.run("events", "--denied", "--last", "0").stdout


def test_the_unit_and_the_class_that_is_missing_are_named(local: Host, tmp_path: Path) -> None:
    with Cgroup(f"{owned('lft')}/web.service") as cgroup, _server(local, tmp_path, 9010, "eu", cgroup) as pid:
        assert local.attempt(("tcp", "127.0.0.1", 9010), classes="eu,billing") == ["EPERM"]
        found = _listener(local, 9010)
        assert (found["pid"], found["unit"], found["classes"], found["lacks"]) == (
            pid,
            "web.service",
            ["eu"],
            ["billing"],
        )
        explained = local.json("explain", "--class", "eu,billing", "127.0.0.1", "tcp/9010")
        assert explained["listener"] == {key: value for key, value in found.items() if key != "present"}
        said = local.run(
            "explain", "--class", "eu,billing", "127.0.0.1", "tcp/9010", env=os.environ | {"COLUMNS": "200"}
        )
        assert f"python3[{pid}] of web.service listens there; it lacks billing: tag it, or name it" in said.stdout
        assert local.json("explain", "--class", "eu", "127.0.0.1", "tcp/9010")["verdict"] == "ALLOW"
        assert local.attempt(("tcp", "127.0.0.1", 9010)) == ["ok"]


def test_a_class_that_denies_its_own_kind_is_said_so(local: Host, tmp_path: Path) -> None:
    with _server(local, tmp_path, 9020, "shut") as pid:
        assert local.attempt(("tcp", "127.0.0.1", 9020), classes="shut") == ["EPERM"]
        assert _listener(local, 9020)["lacks"] == []
        line = f"(python3[{pid}] carries every class, and `loopback: deny` refuses it: name it under `peers`)"
        assert line in local.run("events", "--denied", "--last", "0").stdout
        assert "`loopback: deny` refuses it" in " ".join(
            local.run("explain", "--class", "shut", "127.0.0.1", "tcp/9020").stdout.split()
        )


def test_where_nobody_listens_that_is_said(local: Host) -> None:
    assert local.attempt(("tcp", "127.0.0.1", 9030)) == ["EPERM"]
    assert _listener(local, 9030)["present"] is False
    assert "UNTAGGED_PEER policy 1  (nobody listens there)" in local.run("events", "--denied", "--last", "0").stdout
    assert "nobody listens there" in local.run("explain", "--class", "eu", "127.0.0.1", "tcp/9030").stdout


def test_a_flood_of_refusals_is_not_explained_to_its_end(local: Host) -> None:
    """Looking up has a budget: an answer is remembered, and after many new questions there is none."""
    loopback = ip_address("127.0.0.1")
    blank = Event._make((0,) * len(Event._fields))
    with Maps(local.instance) as maps:
        listeners = Listeners(maps)

        def ask(port: int) -> bool:
            refused = blank._replace(tgid=os.getpid(), remote=loopback, remote_port=port, protocol=Protocol.TCP)
            found = listeners.explain(refused, Process())
            assert found is None or (found.remote, found.port) == (packed(loopback), port)
            return found is not None

        assert ask(1)
        assert any(not ask(port) for port in range(2, 65536))

"""`doctor --unit`: a drop-in that systemd understands, whole."""

import os
import subprocess
from pathlib import Path

import pytest

from landfast_agent import capabilities
from tests.e2e.agent.host import Host

_SETTINGS = (
    "NoNewPrivileges=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "RestrictNamespaces=yes",
    "PrivateDevices=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "ProtectProc=invisible",
)


def _print(host: Host, unit: str) -> str:
    done = host.run("doctor", "--unit", unit)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_setting_stands_below_what_it_closes(fresh: Host) -> None:
    head, _, body = _print(fresh, "feed-ingest").partition("[Service]\n")
    lines = body.splitlines()
    assert lines[0].startswith("# ")
    assert max(map(len, lines)) <= 120
    assert set(_SETTINGS) <= set(lines)
    assert {f"CapabilityBoundingSet=~CAP_{name.upper()}" for name in capabilities.UNDOING} <= set(lines)
    assert "/etc/systemd/system/feed-ingest.service.d/50-landfast.conf" in head
    assert f"landfast-agent --instance {fresh.instance.name} doctor --unit" in head


def test_json_tells_where_it_belongs(fresh: Host) -> None:
    found = fresh.json("doctor", "--unit", "web@eu.service")
    assert (found["unit"], found["path"]) == (
        "web@eu.service",
        "/etc/systemd/system/web@eu.service.d/50-landfast.conf",
    )
    assert found["text"] == _print(fresh, "web@eu.service")


def test_anyone_may_print_it(fresh: Host) -> None:
    argv = ["setpriv", "--reuid=65534", "--clear-groups", *fresh.command("doctor", "--unit", "x")]
    assert "[Service]" in fresh.where.run(argv).stdout


@pytest.mark.parametrize(("unit", "says"), [("a.slice", "name the service"), ("a b", "no unit name"), ("", "no unit")])
def test_what_cannot_be_hardened_is_refused(fresh: Host, unit: str, says: str) -> None:
    done = fresh.run("doctor", "--unit", unit)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def _analyze(directory: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = ["systemd-analyze", *words, str(directory / "feed.service")]
    env = os.environ | {"SYSTEMD_UNIT_PATH": f"{directory}:"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_systemd_understands_all_of_it(fresh: Host, tmp_path: Path) -> None:
    (tmp_path / "feed.service").write_text("[Unit]\nDescription=Feed\n[Service]\nExecStart=/bin/sleep 1\n")
    (tmp_path / "feed.service.d").mkdir()
    drop_in = tmp_path / "feed.service.d" / "50-landfast.conf"
    drop_in.write_text(_print(fresh, "feed.service") + "Nonsense=yes\n")
    assert "Unknown key 'Nonsense'" in _analyze(tmp_path, "verify", "--man=no").stderr
    drop_in.write_text(_print(fresh, "feed.service"))
    verified = _analyze(tmp_path, "verify", "--man=no")
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    open_ways = _analyze(tmp_path, "security", "--offline=true", "--no-pager").stdout
    for name in ("SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_TIME", "NET_ADMIN"):
        assert f"✓ CapabilityBoundingSet=~CAP_{name} " in open_ways
    for name in ("NoNewPrivileges=", "PrivateDevices=", "RestrictNamespaces=~net", "SystemCallFilter=~@mount"):
        assert f"✓ {name}" in open_ways

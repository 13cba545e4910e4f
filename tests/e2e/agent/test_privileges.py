"""Tagged processes that are outside the promise are named: by `ps`, `status` and `doctor`."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from landfast_agent import capabilities, privileges
from tests.e2e.agent.host import Host
from tests.testbed import Program, eventually

_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_ALL = list(capabilities.UNDOING)
_RING = "import ctypes, time; ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120)); time.sleep(100)"
_RAW = "import socket, time; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); time.sleep(100)"
_THREAD = """
import os, threading, time
def leave_root():  # of this thread alone: not through the C library, which would ask all threads to
    import ctypes
    ctypes.CDLL(None).syscall(117, 65534, 65534, 65534)
    time.sleep(100)
threading.Thread(target=time.sleep, args=(100,)).start()
leave_root()
"""


@contextmanager
def _running(argv: Sequence[str], log: Path) -> Iterator[int]:
    """A program that sleeps in the end."""
    with Program(argv, log) as program:
        eventually(lambda: Path(f"/proc/{program.pid}/wchan").read_text() == "hrtimer_nanosleep", "it sleeps")
        yield program.pid


@pytest.mark.parametrize(
    ("prefix", "holds"),
    [
        ((), ["root", *_ALL]),
        (_NOBODY, []),
        ((*_NOBODY, "--inh-caps=+net_raw", "--ambient-caps=+net_raw"), ["net_raw"]),
        ((*_NOBODY, "--inh-caps=+setuid", "--ambient-caps=+setuid"), ["root", *_ALL]),
        ((*_NOBODY, "--inh-caps=+setuid", "--ambient-caps=+setuid", "--no-new-privs"), ["root"]),
        (("setpriv", "--bounding-set=-all,+bpf", "--inh-caps=-all"), ["root", "bpf"]),
        ((*_NOBODY, "unshare", "--user", "--map-root-user"), ["net_admin", "net_raw", "sys_ptrace"]),
        (("unshare", "--user", "--map-root-user"), ["root", "net_admin", "net_raw", "sys_ptrace"]),
    ],
    ids=" ".join,
)
def test_what_a_process_holds_or_can_take(prefix: Sequence[str], holds: list[str], tmp_path: Path) -> None:
    with _running([*prefix, "sleep", "100"], tmp_path / "log") as pid:
        assert privileges.held_by(pid) == holds


def test_every_thread_counts(tmp_path: Path) -> None:
    with _running(["/usr/bin/python3", "-IS", "-c", _THREAD], tmp_path / "log") as pid:
        eventually(lambda: "Uid:\t65534" in Path(f"/proc/{pid}/status").read_text(), "the first thread is nobody's")
        assert privileges.held_by(pid) == ["root", *_ALL]


@pytest.mark.parametrize(("program", "what"), [(_RING, "io_uring"), (_RAW, "raw_socket")])
def test_ways_past_the_hooks_are_held_too(program: str, what: str, tmp_path: Path) -> None:
    with Program(["/usr/bin/python3", "-IS", "-c", program], tmp_path / "log") as running:
        eventually(lambda: what in privileges.held_by(running.pid), f"{what} is found")


def test_a_process_that_has_ended_holds_nothing() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert privileges.held_by(ended.pid) == []


def test_ps_status_and_doctor_name_them(host: Host, tmp_path: Path) -> None:
    argv = host.tagged("sleep", "100", options=["--keep-capabilities"])
    with Program([*_NOBODY, *host.tagged("sleep", "100")], tmp_path / "inside", host.where) as inside:
        with Program(argv, tmp_path / "outside", host.where) as outside:
            eventually(lambda: _held(host).keys() >= {inside.pid, outside.pid}, "both are tagged")
            assert _held(host)[outside.pid] == ["root", *_ALL]
            assert _held(host)[inside.pid] == []
            assert "root,net_admin" in host.run("ps", env=os.environ | {"COLUMNS": "200"}).stdout
            found = host.json("status")
            assert (found["outside_promise"]["hold"], found["problems"]) == (["root", *_ALL], [])
            said = " ".join(host.run("status").stdout.split())
            assert f"{found['outside_promise']['processes']} of them hold root, net_admin" in said
            finding = _finding(host)
            assert (finding["ok"], finding["fatal"]) == (False, False)
            assert f"sleep[{outside.pid}]" in finding["detail"]
            assert f"sleep[{inside.pid}]" not in finding["detail"]
            assert host.run("doctor").returncode == 0
        assert _finding(host)["ok"]


def test_exec_leaves_root_nothing_but_its_identity(host: Host, tmp_path: Path) -> None:
    with Program(host.tagged("sleep", "100"), tmp_path / "log", host.where) as program:
        eventually(lambda: program.pid in _held(host), "it is tagged")
        assert _held(host)[program.pid] == ["root"]


def _held(host: Host) -> dict[int, list[str]]:
    return {row["pid"]: row["holds"] for row in host.json("ps") if row["name"] == "sleep"}


def _finding(host: Host) -> dict[str, object]:
    (finding,) = (each for each in host.json("doctor") if each["name"] == "tagged processes")
    assert isinstance(finding, dict)
    return finding

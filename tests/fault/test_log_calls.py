"""Each system call by which the log is written fails, and is a moment of sudden death: one after the other, in turn.

What was acknowledged is there afterwards, once, and verifies; the log goes on.
"""

import asyncio
import shutil
import signal
import subprocess
from itertools import count
from pathlib import Path

import pytest

from bench.fleet import deployment
from landfast import batch
from landfast.tlog.tiles import WIDTH
from landfast_controller.initialise import DATABASE
from tests.e2e.controller.batches import Chain
from tests.fault import log_writer
from tests.fault.log_writer import UNUSABLE, Writer
from tests.testbed.event_keys import public

#: What SQLite, the files of entries and that of the newest checkpoint are written by (`openat` and `unlink` make and
#: remove files, `mmap` shares the index of the write-ahead log), and how a bad or a full disk answers.
_ERRORS = [
    ("openat", "ENOSPC"),
    ("write", "ENOSPC"),
    ("pwrite64", "ENOSPC"),
    ("pwrite64", "EIO"),
    ("pread64", "EIO"),
    ("fsync", "EIO"),
    ("fdatasync", "EIO"),
    ("ftruncate", "EIO"),
    ("rename", "EIO"),
    ("unlink", "EIO"),
    ("mmap", "ENOMEM"),
]

#: Locks are taken and left by `fcntl`.
_DEATHS = [*dict.fromkeys(call for call, _ in _ERRORS), "fcntl"]

#: Once, from then on, and as a moment of death; for each call of a kind in turn.
_FAULTS = [(call, f"error={error}:when={{}}{lasts}") for call, error in _ERRORS for lasts in ("", "+")]
_FAULTS += [(call, "signal=KILL:when={}") for call in _DEATHS]

#: What is called for other purposes, too: there only the files of the log count.
_ELSEWHERE = ("mmap",)

_HOST, _BATCHES = "hall", 3


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A controller's directory, with a host; what is written and read there once is imported from then on.

    The first bundle of entries has room for one more, so that the second one begins in each run.
    """
    made = deployment.make(tmp_path_factory.mktemp("template"), [_HOST]).controller
    asyncio.run(log_writer.fill(made, WIDTH - 1))
    spare = made.with_name("spare")
    shutil.copytree(made, spare)
    asyncio.run(log_writer.read(spare))
    assert batch.is_signed_by(public(_HOST), Chain(_HOST).batch())
    return made


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("call", "fault"), _FAULTS)
def test_each_call_in_turn_loses_nothing(directory: Path, tmp_path: Path, call: str, fault: str) -> None:
    for nth in count(1):
        used, what = tmp_path / str(nth), fault.format(nth)
        shutil.copytree(directory, used)
        injected, acknowledged = _write(used, call, what, tmp_path)
        hosts = asyncio.run(log_writer.read(used))
        assert hosts[_HOST].last >= acknowledged, f"{call} {what}"
        shutil.rmtree(used)
        if not injected:
            break
    assert nth > 1, f"nothing calls {call}"
    print(f"\n{call} {fault}: {nth - 1} moments")


def _write(directory: Path, call: str, fault: str, tmp_path: Path) -> tuple[bool, int]:
    """Whether the fault was met, and what was acknowledged."""
    errors, trace = tmp_path / "errors", tmp_path / "trace"
    writer = Writer(directory, _HOST, Chain(_HOST).batches(_BATCHES), errors)
    only = [word for name in _files(directory) for word in ("-P", name)] if call in _ELSEWHERE else []
    words = [
        "strace",
        "-f",
        "-p",
        str(writer.pid),
        "-o",
        trace,
        *only,
        "-e",
        f"trace={call}",
        "-e",
        f"inject={call}:{fault}",
    ]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr
        assert "attached" in tracer.stderr.readline()
        writer.begin()
        status, acknowledged = writer.end()
        tracer.wait(30)
    assert not (said := errors.read_text()), said
    assert status in (0, UNUSABLE, -signal.SIGKILL)
    if "error" in fault:
        return "(INJECTED)" in trace.read_text(), acknowledged
    return status == -signal.SIGKILL, acknowledged


def _files(directory: Path) -> list[str]:
    database = str(directory / DATABASE)
    return [database, f"{database}-wal", f"{database}-shm"]

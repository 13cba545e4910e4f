"""Ending processes: those that are found by where they are, in a network namespace or in a cgroup, and this one."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.testbed.waiting import eventually


def all_processes() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def in_network(path: Path) -> set[int]:
    """Processes whose main thread is in the network namespace bound to `path`."""
    wanted = path.stat().st_ino
    return {pid for pid in all_processes() if _network_of(pid) == wanted}


def _network_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:  # it has ended meanwhile
        return None


def end_all(find: Callable[[], set[int]], what: str) -> None:
    """SIGKILLs whatever `find` finds until it finds nothing: a fork loop cannot outrun it for long."""

    def none_left() -> bool:
        found = find() - {os.getpid()}
        for pid in found:
            _kill(pid)
        return not found

    eventually(none_left, f"end the processes in {what}")


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_on_sigterm() -> None:
    """From now on SIGTERM ends this process as Ctrl-C does; processes forked from it just die of it."""
    here = os.getpid()

    def end(number: int, _: object) -> None:
        if os.getpid() != here:
            os._exit(128 + number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)

"""Aborting TCP connections: those whose packets are refused, so that the program sees an error instead of a hang, and
those that nobody can tag. They are found and destroyed in the network namespace that they live in.
"""

import os
import socket
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path

from landfast_agent.errors import KernelError
from landfast_agent.sock_diag import SockDiag, Socket

_ESTABLISHED, _SYN_RECEIVED, _CLOSE_WAIT = 1, 3, 8


def _is_unaccepted(connection: Socket) -> bool:
    return not connection.inode and connection.state in (_ESTABLISHED, _SYN_RECEIVED, _CLOSE_WAIT)


def _cut_in(namespace: Path, wanted: Callable[[Socket], bool]) -> set[int]:
    """Cookies of those that are gone by it."""
    done: set[int] = set()
    with closing(SockDiag(namespace)) as diag:
        for family in (socket.AF_INET, socket.AF_INET6):
            chosen = [each for each in diag.connections(family) if wanted(each)]
            done |= {each.cookie for each in chosen if diag.destroy(family, each.identity)}
    return done


def _namespaces(pids: Iterable[int]) -> dict[int, Path]:
    """One path for each network namespace that one of the processes, or we, live in; by inode."""
    found = {}
    for pid in (os.getpid(), *pids):
        path = Path(f"/proc/{pid}/ns/net")
        try:
            found[path.stat().st_ino] = path
        except OSError:
            continue
    return found


def cut(cookies: set[int], pids: Iterable[int]) -> set[int]:
    """Aborts the TCP connections with these cookies, in the namespaces of `pids`. Returns those that are gone by it.

    A listener is never destroyed: refused SYN-ACKs name it, and it may have other clients.
    """
    done: set[int] = set()
    for path in _namespaces(pids).values():
        if cookies - done:
            try:
                done |= _cut_in(path, lambda each: each.cookie in cookies)
            except (OSError, KernelError):
                continue  # the namespace went away with its last process, and so did its connections
    return done


def cut_unaccepted(pid: int, ports: set[int]) -> None:
    """Aborts connections to listeners on these ports that wait to be accepted, in the network namespace of `pid`.

    They were made for a listener that had no tags yet, so they have none, and no descriptor to tag them through.
    """
    with suppress(FileNotFoundError):  # the process has ended
        _cut_in(Path(f"/proc/{pid}/ns/net"), lambda each: _is_unaccepted(each) and each.port in ports)

"""Network namespaces by the kernel's cookie: rules of a process hold in the one in which it was tagged."""

import ctypes
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from landfast_agent.errors import KernelError

_SO_NETNS_COOKIE = 71  # uapi/asm-generic/socket.h
_CLONE_NEWNET = 0x40000000

_T = TypeVar("_T")


def of_socket(sock: socket.socket) -> int:
    """The cookie of a socket's namespace."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")


def of_process(pid: int) -> int:
    """The cookie of a process' namespace; 0 when the process is gone."""
    with suppress(FileNotFoundError, ProcessLookupError), opened(Path(f"/proc/{pid}/ns/net")) as namespace:
        if os.path.samestat(os.fstat(namespace), os.stat("/proc/thread-self/ns/net")):
            return here()
        return inside(namespace, here)
    return 0


def of_threads(pids: Iterable[int]) -> dict[int, Path]:
    """One path for each namespace that a thread of these processes lives in, by inode."""
    found: dict[int, Path] = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                path = Path(f"/proc/{pid}/task/{thread}/ns/net")
                found.setdefault(path.stat().st_ino, path)
    return found


def here() -> int:
    """The cookie of the calling thread's namespace."""
    with socket.socket() as sock:
        return of_socket(sock)


@contextmanager
def opened(namespace: Path) -> Iterator[int]:
    """A descriptor of a namespace such as /proc/PID/ns/net, which keeps it alive."""
    fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def inside(namespace: int, work: Callable[[], _T]) -> _T:
    """What `work` returns in a namespace, given by descriptor. Raises what it raises; KernelError: not let in.

    It runs in a thread of its own, since a thread that has left a namespace cannot always come back.
    """
    with ThreadPoolExecutor(1, "netns") as pool:
        return pool.submit(_enter_and, namespace, work).result()


def _enter_and(namespace: int, work: Callable[[], _T]) -> _T:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET) != 0:
        raise KernelError("enter a network namespace", ctypes.get_errno())
    return work()

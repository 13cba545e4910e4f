"""Network namespaces by the kernel's cookie: rules of a process hold in the one in which it was tagged."""

import ctypes
import os
import socket
import threading
from contextlib import suppress

from landfast_agent.errors import KernelError

_SO_NETNS_COOKIE = 71  # uapi/asm-generic/socket.h
_CLONE_NEWNET = 0x40000000


def of_socket(sock: socket.socket) -> int:
    """The cookie of a socket's namespace."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), "little")


def of_process(pid: int) -> int:
    """The cookie of a process' namespace; 0 when the process is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _of_namespace(fd)
        finally:
            os.close(fd)
    return 0


def _of_namespace(fd: int) -> int:
    """In a thread of its own, since a thread that has left a namespace cannot always come back."""
    if os.path.samestat(os.fstat(fd), os.stat("/proc/thread-self/ns/net")):
        return _here()
    found: list[int] = []
    problems: list[int] = []
    thread = threading.Thread(target=_enter_and_look, args=(fd, found, problems), name="netns")
    thread.start()
    thread.join()
    if problems:
        raise KernelError("enter a network namespace", problems[0])
    return found[0]


def _enter_and_look(fd: int, found: list[int], problems: list[int]) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET) != 0:
        problems.append(ctypes.get_errno())
        return
    found.append(_here())


def _here() -> int:
    with socket.socket() as sock:
        return of_socket(sock)

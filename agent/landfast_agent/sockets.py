"""Tagging sockets that are already open: their storage is written through a duplicate of the owner's descriptor."""

import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from landfast_agent import libbpf
from landfast_agent.errors import KernelError, Unavailable
from landfast_agent.layout import LAYOUT_VERSION, SOCK
from landfast_agent.maps import Maps
from landfast_agent.tasks import Task

_PIDFD_GETFD = 438
_SO_COOKIE, _SO_ACCEPTCONN, _SO_PROTOCOL = 57, 30, 38
_INET = (socket.AF_INET, socket.AF_INET6)
_GONE = (errno.ESRCH, errno.EBADF, errno.ENOENT)


@dataclass(frozen=True)
class Found:
    """A descriptor of a process that is a socket. `raw` ones bypass the socket layer's addresses."""

    fd: int
    family: int
    type: int
    listening: bool
    local_port: int

    @property
    def is_raw(self) -> bool:
        return self.family == socket.AF_PACKET or (self.family in _INET and self.type == socket.SOCK_RAW)


def _duplicate(pidfd: int, fd: int) -> socket.socket | None:
    """The process' socket; None when it is gone meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    copy = int(libc.syscall(_PIDFD_GETFD, pidfd, fd, 0))
    if copy >= 0:
        return socket.socket(fileno=copy)
    if ctypes.get_errno() in _GONE:
        return None
    raise KernelError(f"take descriptor {fd} of another process", ctypes.get_errno())


def _socket_fds(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(fd) for fd in os.listdir(f"/proc/{pid}/fd") if _is_socket(f"/proc/{pid}/fd/{fd}")]
    return []


def _is_socket(path: str) -> bool:
    with suppress(OSError):
        return os.readlink(path).startswith("socket:")
    return False


def _describe(fd: int, copy: socket.socket) -> Found:
    name = copy.getsockname() if copy.family in _INET else None
    listening = copy.type == socket.SOCK_STREAM and bool(copy.getsockopt(socket.SOL_SOCKET, _SO_ACCEPTCONN))
    return Found(fd, copy.family, copy.type, listening, name[1] if name else 0)


def opened(pid: int) -> Iterator[tuple[Found, socket.socket]]:
    """Every socket of a process with a duplicate of it, which is closed when the next one is asked for."""
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            for fd in _socket_fds(pid):
                copy = _duplicate(pidfd, fd)
                if copy is not None:
                    with copy:
                        yield _describe(fd, copy), copy
        finally:
            os.close(pidfd)


def _cookie(copy: socket.socket) -> int:
    return int.from_bytes(copy.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), "little")


def _store(maps: Maps, copy: socket.socket, task: Task, uid: int, accepted: bool) -> None:
    """Merges tags into the socket's storage, under its lock; a kernel program may do so at the same time."""
    fd, key = maps.fd("sockets"), copy.fileno().to_bytes(4, "little")
    for _ in range(100):
        old = libbpf.map_lookup(fd, key, SOCK.size, libbpf.BPF_F_LOCK)
        tags = SOCK.unpack(old)[2] if old else 0
        if old and tags & task.tags == task.tags:
            return
        origin = SOCK.unpack(old)[3] if old else 0 if accepted else _cookie(copy)
        value = SOCK.pack(
            0, LAYOUT_VERSION, tags | task.tags, origin, task.image, task.tgid, uid,
            0, 0, bytes(16), 0, 0, 0, 0, 0, 0, 0, bytes(24),
        )  # fmt: skip
        libbpf.map_update(fd, key, value, libbpf.BPF_F_LOCK)
    raise Unavailable(f"process {task.tgid}: the tags of a socket do not stick in the map `sockets`")


def tag_all(maps: Maps, task: Task) -> list[Found]:
    """Tags every internet socket that a process has open. Returns all of its sockets.

    An established TCP socket on the port of one of its listeners counts as accepted, so that `serve` rules apply.
    """
    uid = _uid(task.tgid)
    found = [each for each, _ in opened(task.tgid)]
    served = {each.local_port for each in found if each.listening}
    for each, copy in opened(task.tgid):
        if each.family in _INET:
            _store(maps, copy, task, uid, accepted=not each.listening and each.local_port in served)
    return found


def _uid(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except FileNotFoundError:
        return 0


def tags_of(maps: Maps, descriptor: int) -> int:
    """Tags in the storage of a socket of this process."""
    value = libbpf.map_lookup(maps.fd("sockets"), descriptor.to_bytes(4, "little"), SOCK.size)
    return SOCK.unpack(value)[2] if value else 0

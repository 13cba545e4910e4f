"""Tagging sockets that are already open: their storage is written through a duplicate of the owner's descriptor."""

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from landfast_agent import cutter, libbpf, netns
from landfast_agent.errors import KernelError, Unavailable
from landfast_agent.layout import FLOW, LAYOUT_VERSION, SOCK
from landfast_agent.maps import Maps
from landfast_agent.tasks import Task

_PIDFD_GETFD = 438
_PIDFD_THREAD = os.O_EXCL  # uapi/linux/pidfd.h
_KCMP, _KCMP_FILES = {"x86_64": 312, "aarch64": 272}, 2  # uapi/linux/kcmp.h
_SO_COOKIE, _SO_ACCEPTCONN, _SO_PROTOCOL, _SO_DOMAIN = 57, 30, 38, 39  # asm-generic/socket.h
_SO_MEMINFO, _MEMINFO, _OPTION_MEMORY = 55, struct.Struct("=9I"), 6  # SK_MEMINFO_OPTMEM of uapi/linux/sock_diag.h
_ROOM = 512  # bytes: a value of the map `sockets`, and what the kernel keeps around it
_INET = (socket.AF_INET, socket.AF_INET6)
_TAGGED = (*_INET, socket.AF_UNIX)  # with BPF LSM, unix peers are judged by their tags
_GONE = (errno.ESRCH, errno.EBADF, errno.ENOENT)


@dataclass(frozen=True)
class Found:
    """A descriptor of a process that is a socket, in the table of one of its threads."""

    thread: int
    fd: int
    family: int
    type: int
    protocol: int
    listening: bool
    local_port: int
    option_memory: int  # bytes in use, of those that tags take their room from


@cache
def _libc() -> ctypes.CDLL:
    """Once: descriptors and tables are looked at by the thousand."""
    return ctypes.CDLL(None, use_errno=True)


def _duplicate(pidfd: int, fd: int) -> socket.socket | None:
    """The process' socket; None when it is gone meanwhile."""
    copy = int(_libc().syscall(_PIDFD_GETFD, pidfd, fd, 0))
    if copy >= 0:
        return _as_socket(copy)
    if ctypes.get_errno() in _GONE:
        return None
    raise KernelError(f"take descriptor {fd} of another process", ctypes.get_errno())


def _as_socket(fd: int) -> socket.socket | None:
    """Takes a descriptor over. None when the number was given to something else than a socket meanwhile."""
    try:
        family, kind, protocol = (_option(fd, option) for option in (_SO_DOMAIN, socket.SO_TYPE, _SO_PROTOCOL))
    except OSError as error:
        os.close(fd)
        if error.errno == errno.ENOTSOCK:
            return None
        raise
    return socket.socket(family, kind, protocol, fileno=fd)


def _option(fd: int, option: int) -> int:
    """Of a descriptor that may be no socket, which `socket.socket` would raise an error for, and leave it open."""
    value, size = ctypes.c_int(), ctypes.c_uint(ctypes.sizeof(ctypes.c_int))
    if _libc().getsockopt(fd, socket.SOL_SOCKET, option, ctypes.byref(value), ctypes.byref(size)) != 0:
        raise OSError(ctypes.get_errno(), f"option {option} of a socket")
    return value.value


def tables(pid: int) -> list[int]:
    """One thread for each descriptor table of a process: nearly always the leader alone.

    A thread may have left the common table, and goes on with it when the leader has ended.
    """
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        threads = {int(name) for name in os.listdir(f"/proc/{pid}/task")}
        for thread in (pid, *threads - {pid}):
            if not any(_share_a_table(thread, other) is not False for other in found):
                found.append(thread)
    return found


def _share_a_table(one: int, other: int) -> bool | None:
    """What kcmp(2) says; None when one of them is gone."""
    result = int(_libc().syscall(_KCMP.get(platform.machine(), -1), one, other, _KCMP_FILES, 0, 0))
    return None if result < 0 and ctypes.get_errno() in _GONE else result == 0


def _is_dead(thread: int) -> bool:
    """Whether it has no table any more, as a leader whose threads live on: kcmp(2) finds two of them alike."""
    try:
        return Path(f"/proc/{thread}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def outsider(family: Collection[int]) -> tuple[int, int] | None:
    """A process of the family, and one outside that uses the same descriptor table: what one opens, both have."""
    own = [(pid, table) for pid in family for table in tables(pid) if not _is_dead(table)]
    for other in set(psutil.pids()) - set(family):
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{other}/task"):
                for pid, table in own:
                    if _share_a_table(table, int(thread)):
                        return pid, other
    return None


def _pidfd(pid: int, thread: int) -> int:
    try:
        return os.pidfd_open(thread, 0 if thread == pid else _PIDFD_THREAD)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise Unavailable(
            f"process {pid}: thread {thread} has descriptors of its own, which this kernel (before 6.9) does not let "
            f"anybody else tag: stop the process, and start it tagged"
        ) from error


def _socket_fds(pid: int, thread: int) -> list[int]:
    directory = f"/proc/{pid}/task/{thread}/fd"
    with suppress(FileNotFoundError, ProcessLookupError):
        return [int(fd) for fd in os.listdir(directory) if _is_socket(f"{directory}/{fd}")]
    return []


def _is_socket(path: str) -> bool:
    with suppress(OSError):
        return os.readlink(path).startswith("socket:")
    return False


def _describe(thread: int, fd: int, copy: socket.socket) -> Found:
    name = copy.getsockname() if copy.family in _INET else None
    listening = copy.type == socket.SOCK_STREAM and bool(copy.getsockopt(socket.SOL_SOCKET, _SO_ACCEPTCONN))
    used = _MEMINFO.unpack(copy.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[_OPTION_MEMORY]
    return Found(thread, fd, copy.family, copy.type, copy.proto, listening, name[1] if name else 0, used)


def without_room(pid: int) -> list[Found]:
    """Open sockets that tags would probably find no room in: the kernel limits what options of a socket may take."""
    limit = int(Path("/proc/sys/net/core/optmem_max").read_text()) - _ROOM
    return [each for each, _ in opened(pid) if each.family in _TAGGED and each.option_memory >= limit]


def opened(pid: int) -> Iterator[tuple[Found, socket.socket]]:
    """Every socket of a process with a duplicate of it, which is closed when the next one is asked for."""
    for thread in tables(pid):
        with suppress(ProcessLookupError):
            yield from _opened_by(pid, thread)


def _opened_by(pid: int, thread: int) -> Iterator[tuple[Found, socket.socket]]:
    pidfd = _pidfd(pid, thread)
    try:
        for fd in _socket_fds(pid, thread):
            copy = _duplicate(pidfd, fd)
            if copy is not None:
                with copy:
                    yield _describe(thread, fd, copy), copy
    finally:
        os.close(pidfd)


def _cookie(copy: socket.socket) -> int:
    return int.from_bytes(copy.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), "little")


def _store(maps: Maps, copy: socket.socket, task: Task, uid: int, accepted: bool) -> bool:
    """Merges tags into the socket's storage, under its lock; a kernel program may do so at the same time.

    Whether there were any to add.
    """
    fd, key = maps.fd("sockets"), copy.fileno().to_bytes(4, "little")
    for attempt in range(100):
        old = libbpf.map_lookup(fd, key, SOCK.size, libbpf.BPF_F_LOCK)
        tags = SOCK.unpack(old)[2] if old else 0
        if old and tags & task.tags == task.tags:
            return attempt > 0
        origin = SOCK.unpack(old)[3] if old else 0 if accepted else _cookie(copy)
        flow = SOCK.unpack(old)[-2] if old else bytes(FLOW.size)
        foreign = task.netns not in (0, netns.of_socket(copy))
        value = SOCK.pack(
            0, LAYOUT_VERSION, tags | task.tags, origin, task.image, task.tgid, uid,
            0, 0, bytes(16), 0, 0, 0, 0, 0, 0, 0, foreign, 0, 0, 0, flow, bytes(16),
        )  # fmt: skip
        libbpf.map_update(fd, key, value, libbpf.BPF_F_LOCK)
    raise Unavailable(f"process {task.tgid}: the tags of a socket do not stick in the map `sockets`")


def tag_all(maps: Maps, task: Task) -> tuple[list[Found], list[Found]]:
    """Tags every internet and unix socket that a process has open. Returns all of its sockets, and among them those
    that the kernel has no room to tag.

    Connections that wait for a listener which had no tags before are aborted, but for those that the process accepts
    in this moment.
    """
    found, full, listening_anew = _tag_opened(maps, task)
    if listening_anew:
        cutter.cut_unaccepted(task.tgid, listening_anew)
        found, full, _ = _tag_opened(maps, task)
    return found, full


def _tag_opened(maps: Maps, task: Task) -> tuple[list[Found], list[Found], set[int]]:
    """All sockets, those without room, and the ports of listeners that gained tags.

    An established TCP socket on the port of one of its listeners counts as accepted, so that `serve` rules apply.
    """
    uid, full, gained = _uid(task.tgid), [], set()
    found = [each for each, _ in opened(task.tgid)]
    served = {each.local_port for each in found if each.listening}
    for each, copy in opened(task.tgid):
        if each.family not in _TAGGED:
            continue
        accepted = not each.listening and each.local_port in served
        try:
            is_new = _store(maps, copy, task, uid, accepted)
        except KernelError as error:
            if error.errno != errno.ENOMEM:
                raise
            full.append(each)
            continue
        if is_new and each.listening and each.family in _INET:
            gained.add(each.local_port)
    return found, full, gained


def _uid(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except FileNotFoundError:
        return 0


def tags_of(maps: Maps, descriptor: int) -> int:
    """Tags in the storage of a socket of this process."""
    value = libbpf.map_lookup(maps.fd("sockets"), descriptor.to_bytes(4, "little"), SOCK.size)
    return SOCK.unpack(value)[2] if value else 0


def tags_at(maps: Maps, pid: int, fd: int) -> int:
    """Tags in the storage of another process' socket. Raises OSError or KernelError when it cannot be taken."""
    pidfd = os.pidfd_open(pid)
    try:
        copy = _duplicate(pidfd, fd)
    finally:
        os.close(pidfd)
    if copy is None:
        raise ProcessLookupError(errno.ESRCH, f"descriptor {fd} of process {pid} is gone")
    with copy:
        return tags_of(maps, copy.fileno())

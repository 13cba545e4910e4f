"""Aborting TCP connections: those whose packets are refused, so that the program sees an error instead of a hang, and
those that nobody can tag.

Sockets are found by what NETLINK_SOCK_DIAG tells about them, and destroyed through it, in the network namespace they
live in. Formats: uapi/linux/inet_diag.h and uapi/linux/sock_diag.h.
"""

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from landfast_agent.errors import KernelError

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY, _DONE, _ERROR = 20, 21, 3, 2
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_REQ = struct.Struct("=BBBBI48s")  # inet_diag_req_v2: family, protocol, ext, pad, states, id
# inet_diag_msg: 4 single bytes, the id (which begins with the local port and ends with the cookie), 16 bytes, the inode
_MESSAGE = struct.Struct("=xB2x48s16xI")
_ID_SIZE, _COOKIE_AT = 48, 40
_TCP_LISTEN, _TCP_ALL = 10, 0xFFF
_ESTABLISHED, _SYN_RECEIVED, _CLOSE_WAIT = 1, 3, 8
_CONNECTIONS = _TCP_ALL & ~(1 << _TCP_LISTEN)
_CLONE_NEWNET = 0x40000000


class Connection(NamedTuple):
    """A TCP socket, as the kernel describes it. `inode` is 0 while no descriptor refers to it."""

    state: int
    identity: bytes
    inode: int

    @property
    def port(self) -> int:
        """The local one."""
        return int.from_bytes(self.identity[:2])

    @property
    def cookie(self) -> int:
        return int.from_bytes(self.identity[_COOKIE_AT:], "little")

    @property
    def is_unaccepted(self) -> bool:
        return not self.inode and self.state in (_ESTABLISHED, _SYN_RECEIVED, _CLOSE_WAIT)


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET) != 0:
        raise KernelError("enter the network namespace of a tagged process", ctypes.get_errno())


def _netlink_in(namespace: Path) -> socket.socket:
    """A diag socket of another network namespace, made in a thread that is thrown away in it."""
    made: list[socket.socket] = []

    def make() -> None:
        fd = os.open(namespace, os.O_RDONLY)
        try:
            _enter(fd)
            made.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG))
        finally:
            os.close(fd)

    thread = threading.Thread(target=make, name="netns")
    thread.start()
    thread.join()
    if not made:
        raise KernelError(f"open a diag socket in {namespace}", 1)
    return made[0]


def _messages(netlink: socket.socket) -> Iterator[tuple[int, bytes]]:
    """(type, payload) of the answer to one request."""
    while True:
        data = netlink.recv(1 << 16)
        while data:
            length, kind, *_ = _HEADER.unpack_from(data)
            yield kind, data[_HEADER.size : length]
            if kind in (_DONE, _ERROR):
                return
            data = data[(length + 3) & ~3 :]


def _send(netlink: socket.socket, kind: int, flags: int, payload: bytes) -> None:
    netlink.send(_HEADER.pack(_HEADER.size + len(payload), kind, _REQUEST | flags, 1, 0) + payload)


def _tcp(family: int, states: int, identity: bytes) -> bytes:
    return _REQ.pack(family, socket.IPPROTO_TCP, 0, 0, states, identity)


def _connections(netlink: socket.socket, family: int) -> list[Connection]:
    _send(netlink, _SOCK_DIAG_BY_FAMILY, _DUMP, _tcp(family, _CONNECTIONS, bytes(_ID_SIZE)))
    kinds = list(_messages(netlink))
    return [Connection(*_MESSAGE.unpack_from(data)) for kind, data in kinds if kind == _SOCK_DIAG_BY_FAMILY]


def _destroy(netlink: socket.socket, family: int, identity: bytes) -> bool:
    _send(netlink, _SOCK_DESTROY, _ACK, _tcp(family, 0, identity))
    return all(struct.unpack_from("=i", data)[0] == 0 for kind, data in _messages(netlink) if kind == _ERROR)


def _cut_in(namespace: Path, wanted: Callable[[Connection], bool]) -> set[int]:
    """Cookies of those that are gone by it."""
    done: set[int] = set()
    with closing(_netlink_in(namespace)) as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            chosen = [each for each in _connections(netlink, family) if wanted(each)]
            done |= {each.cookie for each in chosen if _destroy(netlink, family, each.identity)}
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
        _cut_in(Path(f"/proc/{pid}/ns/net"), lambda each: each.is_unaccepted and each.port in ports)

"""What the kernel tells about sockets through NETLINK_SOCK_DIAG, in any network namespace.

Formats: uapi/linux/inet_diag.h and uapi/linux/sock_diag.h.
"""

import errno
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from landfast_agent import netns
from landfast_agent.errors import KernelError

TCP_LISTEN = 10

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY, _DONE, _ERROR = 20, 21, 3, 2
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
_REQ = struct.Struct("=BBBBI48s")  # inet_diag_req_v2: family, protocol, ext, pad, states, id
_ID = struct.Struct("!HH16s16sIQ")  # inet_diag_sockid: ports, addresses, interface, cookie
# inet_diag_msg: 4 single bytes, the id (which begins with the local port and ends with the cookie), 16 bytes, the inode
_MESSAGE = struct.Struct("=xB2x48s16xI")
_COOKIE_AT = 40  # in the id
_ANY_COOKIE = 2**64 - 1
_ALL_STATES = 0xFFF


class Socket(NamedTuple):
    """A socket, as the kernel describes it. `inode` is 0 while no descriptor refers to it."""

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


class SockDiag:
    """A diag socket in the network namespace at `namespace` (such as /proc/PID/ns/net).

    Raises OSError or KernelError when that cannot be entered, as when its process has ended.
    """

    def __init__(self, namespace: Path) -> None:
        self._netlink = _netlink_in(namespace)

    def close(self) -> None:
        self._netlink.close()

    def connections(self, family: int) -> list[Socket]:
        """All TCP sockets but listeners."""
        self._send(_SOCK_DIAG_BY_FAMILY, _DUMP, _request(family, socket.IPPROTO_TCP, _ALL_STATES & ~(1 << TCP_LISTEN)))
        return [_socket(data) for kind, data in list(self._answers()) if kind == _SOCK_DIAG_BY_FAMILY]

    def destroy(self, family: int, identity: bytes) -> bool:
        """Aborts a TCP socket. Whether it is gone by it."""
        self._send(_SOCK_DESTROY, _ACK, _request(family, socket.IPPROTO_TCP, 0, identity))
        return all(_error(data) == 0 for kind, data in self._answers() if kind == _ERROR)

    def receiver(self, address: bytes, port: int, protocol: int) -> Socket | None:
        """The TCP listener or UDP socket that a packet to an address of 16 bytes reaches; None when there is none.

        Raises KernelError when this kernel cannot tell.
        """
        family, packed = _family(address)
        there, nowhere = (port, packed), (0, b"")
        # For UDP the kernel has source and destination the other way round, "for historical reasons".
        local, remote = (there, nowhere) if protocol == socket.IPPROTO_TCP else (nowhere, there)
        identity = _ID.pack(local[0], remote[0], local[1], remote[1], 0, _ANY_COOKIE)
        self._send(_SOCK_DIAG_BY_FAMILY, 0, _request(family, protocol, _ALL_STATES, identity))
        kind, data = self._answer()
        if kind != _ERROR:
            return _socket(data)
        if _error(data) == errno.ENOENT and self._knows(family, protocol):
            return None
        raise KernelError(f"find the receiver at port {port}", _error(data))

    def _knows(self, family: int, protocol: int) -> bool:
        """Whether the kernel has the part for a protocol: asked for none of its sockets, it answers."""
        self._send(_SOCK_DIAG_BY_FAMILY, _DUMP, _request(family, protocol, 0))
        return [kind for kind, _ in self._answers()][-1] == _DONE

    def _send(self, kind: int, flags: int, payload: bytes) -> None:
        self._netlink.send(_HEADER.pack(_HEADER.size + len(payload), kind, _REQUEST | flags, 1, 0) + payload)

    def _answer(self) -> tuple[int, bytes]:
        """(type, payload) where there is one message."""
        data = self._netlink.recv(1 << 16)
        length, kind, *_ = _HEADER.unpack_from(data)
        return kind, data[_HEADER.size : length]

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        """Those of a dump, up to its end or its error."""
        while True:
            data = self._netlink.recv(1 << 16)
            while data:
                length, kind, *_ = _HEADER.unpack_from(data)
                yield kind, data[_HEADER.size : length]
                if kind in (_DONE, _ERROR):
                    return
                data = data[(length + 3) & ~3 :]


def _request(family: int, protocol: int, states: int, identity: bytes = b"") -> bytes:
    return _REQ.pack(family, protocol, 0, 0, states, identity)


def _socket(data: bytes) -> Socket:
    return Socket(*_MESSAGE.unpack_from(data))


def _error(data: bytes) -> int:
    """The positive errno of an error message; 0 is an acknowledgement."""
    return -int(struct.unpack_from("=i", data)[0])


def _family(address: bytes) -> tuple[int, bytes]:
    """An address of 16 bytes as the kernel wants it. Where nothing is specified, loopback is meant."""
    if address.startswith(bytes(10) + b"\xff\xff"):
        return socket.AF_INET, address[12:] if any(address[12:]) else b"\x7f\0\0\1"
    return socket.AF_INET6, address if any(address) else bytes(15) + b"\1"


def _netlink_in(namespace: Path) -> socket.socket:
    with netns.opened(namespace) as fd:
        return netns.inside(fd, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG))

# title: UDP
# row: UDP
# variants: sendto sendmsg sendmmsg connected connected_control connected_write reconnected unspec_then_sendto
# variants: other_name empty_first corked large
# family: 4 6
import ctypes
import os
import socket
import struct

from common import APPROVED, IFINDEX, MARK, PORT, TARGET, VARIANT, attempt, family, udp

WAY = (TARGET, PORT)


def sendto(sock: socket.socket) -> None:
    sock.sendto(MARK, WAY)


def sendmsg(sock: socket.socket) -> None:
    sock.sendmsg([MARK[:5], MARK[5:]], [], 0, WAY)


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """struct mmsghdr of socket.h."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(Vector)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("pad", ctypes.c_uint32),
        ("sent", ctypes.c_uint64),
    )


def name(address: str) -> bytes:
    packed = socket.inet_pton(family(address), address)
    start = struct.pack("=H", family(address)) + struct.pack("!H", PORT)
    return start + (packed + bytes(8) if len(packed) == 4 else bytes(4) + packed + bytes(4))


def sendmmsg(sock: socket.socket) -> None:
    """The first message goes to the approved address, the second does not."""
    libc = ctypes.CDLL(None, use_errno=True)
    vector = ctypes.pointer(Vector(MARK, len(MARK)))
    harmless = ctypes.pointer(Vector(b"harmless", 8))
    way, good = name(TARGET), name(APPROVED)
    messages = (Message * 2)(
        Message(good, len(good), harmless, 1, None, 0, 0, 0, 0), Message(way, len(way), vector, 1, None, 0, 0, 0, 0)
    )
    if libc.sendmmsg(sock.fileno(), messages, 2, 0) < 2:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def connected(sock: socket.socket) -> None:
    sock.connect(WAY)
    sock.send(MARK)


def connected_control(sock: socket.socket) -> None:
    sock.connect(WAY)
    if sock.family == socket.AF_INET:
        sock.sendmsg([MARK], [(socket.IPPROTO_IP, 8, struct.pack("=III", IFINDEX, 0, 0))])  # IP_PKTINFO
    else:
        sock.sendmsg([MARK], [(socket.IPPROTO_IPV6, 50, bytes(16) + struct.pack("=I", IFINDEX))])  # IPV6_PKTINFO


def connected_write(sock: socket.socket) -> None:
    sock.connect(WAY)
    os.write(sock.fileno(), MARK)


def reconnected(sock: socket.socket) -> None:
    sock.connect((APPROVED, PORT))
    sock.send(b"harmless")
    sock.connect(WAY)
    sock.send(MARK)


def unspec_then_sendto(sock: socket.socket) -> None:
    sock.connect((APPROVED, PORT))
    ctypes.CDLL(None).connect(sock.fileno(), bytes(16), 16)
    sock.sendto(MARK, WAY)


def other_name(sock: socket.socket) -> None:
    """Connected to the approved address; the message names another."""
    sock.connect((APPROVED, PORT))
    sock.send(b"harmless")
    sock.sendto(MARK, WAY)


def empty_first(sock: socket.socket) -> None:
    sock.sendto(b"", WAY)
    sock.sendto(MARK, WAY)


def corked(sock: socket.socket) -> None:
    """Begun for one address; the name is not looked at again."""
    sock.setsockopt(socket.IPPROTO_UDP, 1, 1)  # UDP_CORK
    sock.sendto(MARK, WAY)
    sock.setsockopt(socket.IPPROTO_UDP, 1, 0)


def large(sock: socket.socket) -> None:
    """In fragments, of which only the first has a header of UDP."""
    sock.sendto(MARK * 1500, WAY)


attempt(lambda: globals()[VARIANT](udp()))

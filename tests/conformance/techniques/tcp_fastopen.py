# title: TCP Fast Open
# row: TCP
# variants: sendto sendmsg sendto_unspec connect
# family: 4 6
import ctypes
import os
import socket
import struct
import time

from common import MARK, PORT, TARGET, VARIANT, attempt, family, tcp

FASTOPEN = 0x20000000  # MSG_FASTOPEN
WAY = (TARGET, PORT)


def sendto(sock: socket.socket) -> None:
    sock.sendto(MARK, FASTOPEN, WAY)


def sendmsg(sock: socket.socket) -> None:
    sock.sendmsg([MARK], [], FASTOPEN, WAY)


def sendto_unspec(sock: socket.socket) -> None:
    """The address says AF_UNSPEC and holds another; some kernels read it all the same."""
    packed = socket.inet_pton(family(TARGET), TARGET)
    port = struct.pack("!H", PORT)
    address = struct.pack("=H", 0) + port + (packed + bytes(8) if len(packed) == 4 else bytes(4) + packed + bytes(4))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sendto(sock.fileno(), MARK, len(MARK), FASTOPEN, address, len(address)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def connect(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    sock.connect(WAY)
    sock.sendall(MARK)


def work() -> None:
    sock = tcp()
    globals()[VARIANT](sock)
    time.sleep(0.2)


attempt(work)

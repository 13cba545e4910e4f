# title: UDP sendto whose address says AF_UNSPEC
# row: UDP
import ctypes
import os
import socket
import struct

from common import MARK, PORT, TARGET4, attempt, udp


def work() -> None:
    sock, libc = udp(), ctypes.CDLL(None, use_errno=True)
    name = struct.pack("=H", 0) + struct.pack("!H", PORT) + socket.inet_aton(TARGET4) + bytes(8)
    if libc.sendto(sock.fileno(), MARK, len(MARK), 0, name, 16) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


attempt(work)

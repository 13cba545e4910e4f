# title: TCP socket that was connected to the approved address before
# row: TCP
# variants: disconnect disconnect_and_fast_open
# family: 4 6
import ctypes
import socket

from common import APPROVED, MARK, PORT, TARGET, VARIANT, attempt, tcp


def disconnected(sock: socket.socket) -> socket.socket:
    sock.connect((APPROVED, PORT))
    ctypes.CDLL(None).connect(sock.fileno(), bytes(16), 16)  # AF_UNSPEC
    return sock


def disconnect(sock: socket.socket) -> None:
    disconnected(sock).connect((TARGET, PORT))
    sock.sendall(MARK)


def disconnect_and_fast_open(sock: socket.socket) -> None:
    disconnected(sock).sendto(MARK, 0x20000000, (TARGET, PORT))
    sock.recv(100)


attempt(lambda: globals()[VARIANT](tcp()))

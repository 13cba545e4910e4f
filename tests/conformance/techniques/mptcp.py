# title: MPTCP
# row: MPTCP
# variants: connect fast_open second_subflow
# family: 4 6
import socket
import time

from common import APPROVED, MARK, PORT, TARGET, VARIANT, attempt, family


def connect(sock: socket.socket) -> None:
    sock.connect((TARGET, PORT))
    sock.sendall(MARK)


def fast_open(sock: socket.socket) -> None:
    sock.sendto(MARK, 0x20000000, (TARGET, PORT))
    time.sleep(0.2)


def second_subflow(sock: socket.socket) -> None:
    """The approved server announces the forbidden address; a worker of the kernel connects there."""
    sock.connect((APPROVED, PORT))
    for _ in range(20):
        sock.sendall(b"harmless")
        sock.recv(100)
        time.sleep(0.05)


def work() -> None:
    sock = socket.socket(family(TARGET), socket.SOCK_STREAM, 262)
    sock.settimeout(1)
    globals()[VARIANT](sock)


attempt(work)

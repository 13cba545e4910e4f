# title: TCP connect and send
# row: TCP
# variants: blocking nonblocking bound write_before_established
# family: 4 6
import socket
import time

from common import MARK, PORT, TARGET, VARIANT, attempt, tcp


def blocking(sock: socket.socket) -> None:
    sock.connect((TARGET, PORT))
    sock.sendall(MARK)
    sock.recv(100)


def nonblocking(sock: socket.socket) -> None:
    sock.setblocking(False)
    try:
        sock.connect((TARGET, PORT))
    except BlockingIOError:
        time.sleep(0.2)
    sock.send(MARK)


def bound(sock: socket.socket) -> None:
    sock.bind(("", PORT))
    blocking(sock)


def write_before_established(sock: socket.socket) -> None:
    """Nagle's buffer is filled while the handshake is under way."""
    sock.setsockopt(socket.IPPROTO_TCP, 30, 1)  # TCP_FASTOPEN_CONNECT
    sock.connect((TARGET, PORT))
    for _ in range(3):
        sock.send(MARK)
    time.sleep(0.2)


attempt(lambda: globals()[VARIANT](tcp()))

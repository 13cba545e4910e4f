"""An echo server, run as a program of its own: `python3 echo.py PORT...` answers TCP and UDP, IPv4 and IPv6.

Prints "ready" when it listens. Imports nothing of the project.
"""

import contextlib
import selectors
import socket
import sys


def listen(selector: selectors.BaseSelector, kind: socket.SocketKind, port: int) -> None:
    sock = socket.socket(socket.AF_INET6, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    if kind == socket.SOCK_STREAM:
        sock.listen(4096)
    selector.register(sock, selectors.EVENT_READ, answer_udp if kind == socket.SOCK_DGRAM else accept)


def accept(selector: selectors.BaseSelector, listener: socket.socket) -> None:
    selector.register(listener.accept()[0], selectors.EVENT_READ, answer_tcp)


def answer_tcp(selector: selectors.BaseSelector, sock: socket.socket) -> None:
    try:
        data = sock.recv(65536)
        sock.sendall(data)
    except OSError:
        data = b""
    if not data:
        selector.unregister(sock)
        sock.close()


def answer_udp(_: selectors.BaseSelector, sock: socket.socket) -> None:
    data, address = sock.recvfrom(65536)
    with contextlib.suppress(PermissionError):  # a tagged server may be refused one answer, and goes on
        sock.sendto(data, address)


def main() -> None:
    with selectors.DefaultSelector() as selector:
        for port in map(int, sys.argv[1:]):
            listen(selector, socket.SOCK_STREAM, port)
            listen(selector, socket.SOCK_DGRAM, port)
        print("ready", flush=True)
        while True:
            for key, _ in selector.select():
                key.data(selector, key.fileobj)


main()

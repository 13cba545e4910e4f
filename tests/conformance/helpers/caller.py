"""Connects to a unix socket of the technique, as soon as there is one, and forwards what it is told."""

import os
import socket
import time
from contextlib import suppress


def ask(kind: socket.SocketKind) -> bytes:
    with socket.socket(socket.AF_UNIX, kind) as sock:
        sock.settimeout(0.5)
        if kind == socket.SOCK_DGRAM:
            sock.bind("")  # an abstract name that the kernel chooses: it can be answered
        sock.connect(f"{os.environ['HELPER']}.calls")
        if kind == socket.SOCK_DGRAM:
            sock.send(b"x")
        return sock.recv(1400)


def main() -> None:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    print("ready", flush=True)
    while True:
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            with suppress(OSError):
                out.send(ask(kind))
        time.sleep(0.05)


main()

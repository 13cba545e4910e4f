"""Forwards whatever reaches it by a local way to the forbidden address, as a helpful process of the host might.

Listens on unix sockets of every kind and name, on a named pipe, on netlink and on vsock where the kernel has them.
"""

import os
import selectors
import socket
from collections.abc import Iterator

NETLINK_ROUTE, NETLINK_USERSOCK, GROUP = 0, 2, 1  # linux/netlink.h


def unix_sockets() -> Iterator[socket.socket]:
    """With a path in the file system, and with an abstract name."""
    for prefix in os.environ["HELPER"], "\0" + os.environ["HELPER"]:
        for suffix, kind in (
            ("stream", socket.SOCK_STREAM),
            ("dgram", socket.SOCK_DGRAM),
            ("seq", socket.SOCK_SEQPACKET),
        ):
            sock = socket.socket(socket.AF_UNIX, kind)
            sock.bind(f"{prefix}.{suffix}")
            yield sock


def netlink_sockets() -> Iterator[socket.socket]:
    for protocol, groups in (NETLINK_USERSOCK, GROUP), (NETLINK_ROUTE, 0):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        sock.bind((0, groups))
        with open(f"{os.environ['HELPER']}.portid{protocol}", "w", encoding="ascii") as file:
            file.write(str(sock.getsockname()[0]))
        yield sock


def vsock_sockets() -> Iterator[socket.socket]:
    """Only the kernel's own loopback: another number would reach the machine's host."""
    try:
        sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        sock.bind((1, int(os.environ["HELPER_PORT"])))
    except OSError:
        return
    yield sock


def inet_sockets() -> Iterator[socket.socket]:
    """Ordinary ones on the loopback device, bound to that device: a lookup without it finds others first."""
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        sock = socket.socket(socket.AF_INET, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        sock.bind(("127.0.0.1", int(os.environ["HELPER_PORT"])))
        yield sock


def fifo() -> int:
    path = f"{os.environ['HELPER']}.fifo"
    os.mkfifo(path, 0o666)
    return os.open(path, os.O_RDWR)


def main() -> None:
    os.umask(0)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    with selectors.DefaultSelector() as selector:
        for sock in *unix_sockets(), *netlink_sockets(), *vsock_sockets(), *inet_sockets():
            listens = sock.type != socket.SOCK_DGRAM and sock.family != socket.AF_NETLINK
            if listens:
                sock.listen()
            selector.register(sock, selectors.EVENT_READ, "accept" if listens else "read")
        selector.register(fifo(), selectors.EVENT_READ, "read")
        print("ready", flush=True)
        while True:
            for key, _ in selector.select():
                handle(selector, key, out)


def handle(selector: selectors.BaseSelector, key: selectors.SelectorKey, out: socket.socket) -> None:
    source = key.fileobj
    if isinstance(source, socket.socket) and key.data == "accept":
        selector.register(source.accept()[0], selectors.EVENT_READ, "read")
        return
    data = source.recv(65536) if isinstance(source, socket.socket) else os.read(key.fd, 65536)
    if data:
        out.send(data[:1400])
    else:
        selector.unregister(source)


main()

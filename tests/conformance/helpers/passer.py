"""Makes sockets toward the forbidden address, untagged, and passes them to whoever asks over a unix socket.

A request is a line with one of the names in MAKERS; some sockets are used a little later by this process as well.
Also writes its number and those of two sockets to a file, for whoever takes descriptors without asking.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable

TARGET = os.environ["TARGET4"], int(os.environ["PORT"])
ETH_P_ALL, SO_MAX_PACING_RATE, UDP_CORK = 3, 47, 1
IP_HDRINCL = 3


def tcp() -> socket.socket:
    return socket.create_connection(TARGET)


def udp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect(TARGET)
    return sock


def unconnected() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def udp6() -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.connect((os.environ["TARGET6"], TARGET[1]))
    return sock


def fresh_tcp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def listener() -> socket.socket:
    """The far side calls it."""
    return socket.create_server(("0.0.0.0", TARGET[1]))


def packet() -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((os.environ["IFACE"], 0))
    return sock


def raw() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sock.setsockopt(socket.IPPROTO_IP, IP_HDRINCL, 1)
    return sock


def corked() -> socket.socket:
    """What is written stays in its queue until this process opens it."""
    sock = tcp()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    later(lambda: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0))
    return sock


def corked_udp() -> socket.socket:
    sock = udp()
    sock.setsockopt(socket.IPPROTO_UDP, UDP_CORK, 1)
    later(lambda: sock.setsockopt(socket.IPPROTO_UDP, UDP_CORK, 0))
    return sock


def paced() -> socket.socket:
    """What is written leaves later, by a timer of the kernel."""
    sock = tcp()
    sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("I", 6000))  # bytes per second
    for _ in range(3):
        sock.send(b"p" * 1400)
    return sock


def later(act: Callable[[], None]) -> None:
    def wait_and_act() -> None:
        time.sleep(0.5)
        act()

    threading.Thread(target=wait_and_act, daemon=True).start()


MAKERS = {
    make.__name__: make
    for make in (tcp, udp, udp6, unconnected, fresh_tcp, listener, packet, raw, corked, corked_udp, paced)
}


def serve(connection: socket.socket) -> None:
    kept = []  # as long as the connection: some are used here as well
    for line in connection.makefile("r"):
        kept.append(MAKERS[line.strip()]())
        socket.send_fds(connection, [b"x"], [kept[-1].fileno()])


def main() -> None:
    os.umask(0)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    door.bind(f"{os.environ['HELPER']}.pass")
    door.listen()
    kept = udp(), packet()
    with open(f"{os.environ['HELPER']}.facts", "w", encoding="ascii") as facts:
        facts.write(" ".join(str(each) for each in (os.getpid(), *(sock.fileno() for sock in kept))))
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve, args=door.accept()[:1], daemon=True).start()


main()

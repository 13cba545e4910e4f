"""Makes sockets toward the forbidden address, untagged, and passes them to whoever asks over a unix socket.

A request is a line with one of the names in MAKERS; some sockets are used a little later by this process as well.
Also writes its number and those of two sockets to a file, for whoever takes descriptors without asking.
"""

import fcntl
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

TARGET = os.environ["TARGET4"], int(os.environ["PORT"])
ETH_P_ALL, SO_MAX_PACING_RATE, UDP_CORK = 3, 47, 1
IP_HDRINCL = 3
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000  # linux/if_tun.h


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


def tun() -> BinaryIO:
    """A device of its own network, of which packets are forwarded."""
    made = os.fdopen(os.open("/dev/net/tun", os.O_RDWR), "r+b", 0)
    fcntl.ioctl(made, TUNSETIFF, struct.pack("16sH22x", b"way", IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "addr", "add", "192.0.2.1/24", "dev", "way"], check=True)
    subprocess.run(["ip", "link", "set", "way", "up"], check=True)
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as setting:
        setting.write("1")
    return made


def raw() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sock.setsockopt(socket.IPPROTO_IP, IP_HDRINCL, 1)
    return sock


def corked() -> socket.socket:
    return _corked(tcp())


def corked_mptcp() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    sock.connect(TARGET)
    return _corked(sock)


def _corked(sock: socket.socket) -> socket.socket:
    """What is written stays in its queue until this process opens it."""
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


MAKERS: dict[str, Callable[[], socket.socket | BinaryIO]] = {
    make.__name__: make
    for make in (
        tcp,
        udp,
        udp6,
        unconnected,
        fresh_tcp,
        listener,
        packet,
        raw,
        tun,
        corked,
        corked_udp,
        corked_mptcp,
        paced,
    )
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

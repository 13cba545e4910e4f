# title: groups and sources that the kernel reports to the router
# row: broadcast, multicast, link-local
# variants: sources6 sources4 group6 many_groups6
import socket
import struct
import time

from common import IFINDEX, MARK, SOURCE4, VARIANT, attempt

SOURCES = [MARK[at : at + 4].ljust(4, b"x") for at in range(0, len(MARK), 4)]


def storage(family: int, packed: bytes) -> bytes:
    """struct sockaddr_storage."""
    start = struct.pack("=HHI", family, 0, 0) if family == socket.AF_INET6 else struct.pack("=HH", family, 0)
    return (start + packed).ljust(128, b"\0")


def sources6() -> None:
    """Sixteen bytes of one's choice: a source that the group is to be heard from (RFC 3810)."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    group = storage(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, "ff0e::4711"))
    source = storage(socket.AF_INET6, MARK.rjust(16, b" "))
    request = struct.pack("=II", IFINDEX, 0) + group + source
    sock.setsockopt(socket.IPPROTO_IPV6, 46, request)  # MCAST_JOIN_SOURCE_GROUP
    time.sleep(1.5)


def sources4() -> None:
    """Four bytes a source, as many as it takes, in both orders (RFC 3376)."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for group, sources in (("239.4.7.11", SOURCES), ("239.4.7.12", SOURCES[::-1])):
        head = socket.inet_aton(group) + socket.inet_aton(SOURCE4) + struct.pack("=II", 1, len(sources))
        sock.setsockopt(socket.IPPROTO_IP, 35, socket.inet_aton(group) + socket.inet_aton(SOURCE4) + bytes(4))
        sock.setsockopt(socket.IPPROTO_IP, 41, head + b"".join(sources))  # IP_MSFILTER
    time.sleep(1.5)


def join6(group: bytes) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("=I", IFINDEX))
    return sock


def group6() -> None:
    """The group's own address has room for fourteen bytes."""
    held = join6(b"\xff\x0e" + MARK.rjust(14, b" "))
    time.sleep(1.5)
    held.close()


def many_groups6() -> None:
    held = [join6(b"\xff\x0e" + bytes([number]) + MARK.rjust(13, b" ")) for number in range(10)]
    time.sleep(1.5)
    del held


attempt(globals()[VARIANT])

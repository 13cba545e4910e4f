# title: groups and sources that the kernel reports to the router
# row: broadcast, multicast, link-local
# variants: join_source join_group block_source filter older_filter filter_of_ipv6 filter_by_ipv6_socket on_tcp_socket
# variants: many_groups
import socket
import struct
import time

from common import IFINDEX, MARK, PORT, SOURCE4, VARIANT, attempt

V4, V6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
IP_MSFILTER = 41  # linux/in.h
JOIN_GROUP, BLOCK_SOURCE, JOIN_SOURCE_GROUP, MSFILTER = 42, 43, 46, 48  # MCAST_... of linux/in.h
#: Of this variant alone: the sources of all who have joined are reported together.
GROUP4, GROUP6 = b"\xef\4" + PORT.to_bytes(2), b"\xff\x0e" + bytes(12) + PORT.to_bytes(2)
#: Four bytes a source, as many as it takes; the kernel may report them in either order.
SOURCES4 = [MARK[at : at + 4].ljust(4, b"x") for at in range(0, len(MARK), 4)]
SOURCE6 = MARK.rjust(16, b" ")


def udp(family: int = socket.AF_INET6) -> socket.socket:
    return socket.socket(family, socket.SOCK_DGRAM)


def storage(packed: bytes) -> bytes:
    """struct sockaddr_storage."""
    start = struct.pack("=HHI", socket.AF_INET6, 0, 0) if len(packed) == 16 else struct.pack("=HH", socket.AF_INET, 0)
    return (start + packed).ljust(128, b"\0")


def request(group: bytes, *sources: bytes) -> bytes:
    """struct group_req, group_source_req."""
    return struct.pack("=II", IFINDEX, 0) + storage(group) + b"".join(map(storage, sources))


def group_filter(group: bytes, sources: list[bytes]) -> bytes:
    """struct group_filter: only these sources."""
    start = struct.pack("=II", IFINDEX, 0) + storage(group)
    return start + struct.pack("=II", 1, len(sources)) + b"".join(map(storage, sources))


def join_source() -> socket.socket:
    """Sixteen bytes of one's choice: a source that the group is to be heard from (RFC 3810)."""
    return asked(udp(), V6, (JOIN_SOURCE_GROUP, request(GROUP6, SOURCE6)))


def join_group() -> socket.socket:
    """The group's own address has room for fourteen bytes."""
    return asked(udp(), V6, (socket.IPV6_JOIN_GROUP, b"\xff\x0e" + MARK.rjust(14, b" ") + struct.pack("=I", IFINDEX)))


def many_groups() -> socket.socket:
    groups = [b"\xff\x0e" + bytes([number]) + MARK.rjust(13, b" ") for number in range(10)]
    return asked(udp(), V6, *((JOIN_GROUP, request(group)) for group in groups))


def block_source() -> socket.socket:
    return asked(udp(), V6, (JOIN_GROUP, request(GROUP6)), (BLOCK_SOURCE, request(GROUP6, SOURCE6)))


def filter_of_ipv6() -> socket.socket:
    return asked(udp(), V6, (JOIN_GROUP, request(GROUP6)), (MSFILTER, group_filter(GROUP6, [SOURCE6])))


def older_filter() -> socket.socket:
    """struct ip_msfilter."""
    start = GROUP4 + socket.inet_aton(SOURCE4) + struct.pack("=II", 1, len(SOURCES4))
    joined = (socket.IP_ADD_MEMBERSHIP, GROUP4 + socket.inet_aton(SOURCE4))
    filters = ((IP_MSFILTER, start + b"".join(sources)) for sources in (SOURCES4, SOURCES4[::-1]))
    return asked(udp(socket.AF_INET), V4, joined, *filters)


def filters4(sock: socket.socket) -> socket.socket:
    filters = ((MSFILTER, group_filter(GROUP4, sources)) for sources in (SOURCES4, SOURCES4[::-1]))
    return asked(sock, V4, (JOIN_GROUP, request(GROUP4)), *filters)


def filter_of_ipv4() -> socket.socket:
    return filters4(udp(socket.AF_INET))


def filter_by_ipv6_socket() -> socket.socket:
    """An AF_INET6 socket has the options of IPv4 as well."""
    return filters4(udp())


def on_tcp_socket() -> socket.socket:
    return asked(socket.socket(socket.AF_INET6), V6, (JOIN_SOURCE_GROUP, request(GROUP6, SOURCE6)))


def asked(sock: socket.socket, level: int, *options: tuple[int, bytes]) -> socket.socket:
    for name, value in options:
        sock.setsockopt(level, name, value)
        time.sleep(0.3)
    return sock


def work() -> None:
    """The kernel takes its time to report."""
    sock = (filter_of_ipv4 if VARIANT == "filter" else globals()[VARIANT])()
    time.sleep(1.5)
    sock.close()


attempt(work)

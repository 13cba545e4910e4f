# title: source that a group, joined before the tag, is not to be heard from
# row: broadcast, multicast, link-local
# tag: late
import socket
import struct
import time

from common import IFINDEX, MARK, attempt

JOIN_GROUP, BLOCK_SOURCE = 42, 43  # MCAST_... of linux/in.h


def storage(packed: bytes) -> bytes:
    return (struct.pack("=HHI", socket.AF_INET6, 0, 0) + packed).ljust(128, b"\0")


def work() -> None:
    group = struct.pack("=II", IFINDEX, 0) + storage(socket.inet_pton(socket.AF_INET6, "ff0e::4713"))
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, JOIN_GROUP, group)
    print("ready", flush=True)
    input()
    sock.setsockopt(socket.IPPROTO_IPV6, BLOCK_SOURCE, group + storage(MARK.rjust(16, b" ")))
    time.sleep(1.5)


attempt(work)

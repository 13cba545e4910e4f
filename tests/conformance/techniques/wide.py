# title: UDP to many at once
# row: broadcast, multicast, link-local
# variants: broadcast subnet_broadcast bound_broadcast multicast multicast_connected multicast6 multicast6_wide
# variants: all_nodes link_local link_local_tcp
import os
import socket
import struct

from common import IFACE, IFINDEX, MARK, PORT, VARIANT, attempt


def made(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    return sock


def broadcast() -> None:
    made(socket.AF_INET).sendto(MARK, ("255.255.255.255", PORT))


def subnet_broadcast() -> None:
    made(socket.AF_INET).sendto(MARK, ("10.10.0.255", PORT))


def bound_broadcast() -> None:
    sock = made(socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, IFACE.encode())
    sock.connect(("255.255.255.255", PORT))
    sock.send(MARK)


def multicast() -> None:
    sock = made(socket.AF_INET)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), IFINDEX))
    sock.sendto(MARK, ("239.1.2.3", PORT))


def multicast_connected() -> None:
    sock = made(socket.AF_INET)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), IFINDEX))
    sock.connect(("224.0.0.251", PORT))
    sock.send(MARK)


def multicast6() -> None:
    made(socket.AF_INET6).sendto(MARK, ("ff02::fb", PORT, 0, IFINDEX))


def multicast6_wide() -> None:
    sock = made(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, IFINDEX)
    sock.sendto(MARK, ("ff0e::1234", PORT))


def all_nodes() -> None:
    made(socket.AF_INET6).sendto(MARK, ("ff02::1", PORT, 0, IFINDEX))


def neighbour() -> str:
    """The far side's link-local address, from that of its hardware (RFC 4291)."""
    octets = bytes.fromhex(os.environ["TARGET_MAC"].replace(":", ""))
    interface = bytes([octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]])
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + interface)


def link_local() -> None:
    made(socket.AF_INET6).sendto(MARK, (neighbour(), PORT, 0, IFINDEX))


def link_local_tcp() -> None:
    sock = socket.socket(socket.AF_INET6)
    sock.settimeout(1)
    sock.connect((neighbour(), PORT, 0, IFINDEX))
    sock.sendall(MARK)


attempt(globals()[VARIANT])

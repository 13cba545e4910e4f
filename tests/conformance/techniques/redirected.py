# title: UDP with an option that says where to leave
# row: SO_BINDTODEVICE, SO_MARK, IP_PKTINFO
# variants: bind_to_device mark mark_control packet_info unicast_interface transparent_source
# family: 4 6
import socket
import struct

from common import IFACE, IFINDEX, MARK, PORT, SOURCE4, SOURCE6, TARGET, VARIANT, attempt, family
from common import udp as datagram

FAMILY = family(TARGET)
V6 = FAMILY == socket.AF_INET6
WAY = (TARGET, PORT)


def bind_to_device(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, IFACE.encode())
    sock.sendto(MARK, WAY)


def mark(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 4711)
    sock.sendto(MARK, WAY)


def mark_control(sock: socket.socket) -> None:
    sock.sendmsg([MARK], [(socket.SOL_SOCKET, socket.SO_MARK, struct.pack("=I", 4711))], 0, WAY)


def packet_info(sock: socket.socket) -> None:
    if V6:
        info = socket.inet_pton(FAMILY, SOURCE6) + struct.pack("=I", IFINDEX)
        sock.sendmsg([MARK], [(socket.IPPROTO_IPV6, 50, info)], 0, WAY)  # IPV6_PKTINFO
    else:
        info = struct.pack("=I", IFINDEX) + socket.inet_aton(SOURCE4) + bytes(4)
        sock.sendmsg([MARK], [(socket.IPPROTO_IP, 8, info)], 0, WAY)  # IP_PKTINFO


def unicast_interface(sock: socket.socket) -> None:
    if V6:
        sock.setsockopt(socket.IPPROTO_IPV6, 76, struct.pack("!I", IFINDEX))  # IPV6_UNICAST_IF
    else:
        sock.setsockopt(socket.IPPROTO_IP, 50, struct.pack("!I", IFINDEX))  # IP_UNICAST_IF
    sock.connect(WAY)
    sock.send(MARK)


def transparent_source(sock: socket.socket) -> None:
    """A source address that is not the host's."""
    level, name = (socket.IPPROTO_IPV6, 75) if V6 else (socket.IPPROTO_IP, 19)  # IPV6_TRANSPARENT, IP_TRANSPARENT
    sock.setsockopt(level, name, 1)
    sock.bind(("2001:db8:99::9" if V6 else "192.0.2.99", PORT))
    sock.sendto(MARK, WAY)


attempt(lambda: globals()[VARIANT](datagram()))

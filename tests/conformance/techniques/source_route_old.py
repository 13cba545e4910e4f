# title: IPv6 routing header by an older way
# row: source routing
# variants: control_of_2292 packet_options_of_2292 destination_options strict_route_of_ipv4
import os
import socket
import struct

from common import APPROVED4, APPROVED6, MARK, PORT, TARGET6, VARIANT, attempt

SEGMENT = bytes([0, 2, 2, 1, 0, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, TARGET6)  # RFC 6275
RTHDR_2292, PKTOPTIONS_2292, RTHDR, RTHDRDSTOPTS, DSTOPTS = 5, 6, 57, 55, 59  # linux/in6.h


def control_of_2292(sock: socket.socket) -> None:
    sock.sendmsg([MARK], [(socket.IPPROTO_IPV6, RTHDR_2292, SEGMENT)], 0, (APPROVED6, PORT))


def packet_options_of_2292(sock: socket.socket) -> None:
    """Control messages as an option of the socket."""
    message = struct.pack("=Qii", 16 + len(SEGMENT), socket.IPPROTO_IPV6, RTHDR) + SEGMENT
    sock.setsockopt(socket.IPPROTO_IPV6, PKTOPTIONS_2292, message)
    sock.sendto(MARK, (APPROVED6, PORT))


def destination_options(sock: socket.socket) -> None:
    """The payload travels in an extension header to the approved address' neighbour on the route."""
    option = bytes([0x1E, len(MARK)]) + MARK
    header = bytes([0, (2 + len(option) + 7) // 8 - 1]) + option
    padding = -len(header) % 8
    header += b"\0" if padding == 1 else b"\1" + bytes([padding - 2]) + bytes(padding - 2) if padding else b""
    segment = bytes([0, 4, 4, 1, 1, 0, 0, 0]) + bytes(16) + socket.inet_pton(socket.AF_INET6, TARGET6)
    sock.setsockopt(socket.IPPROTO_IPV6, RTHDR, segment)
    sock.setsockopt(socket.IPPROTO_IPV6, DSTOPTS, header)
    sock.sendto(b"x", (APPROVED6, PORT))


def strict_route_of_ipv4(_: socket.socket) -> None:
    """By way of the gateway, which is no approved address either."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    route = b"\x89\x07\x04" + socket.inet_aton(os.environ["GATEWAY4"]) + b"\0"
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, route)
    sock.sendto(MARK, (APPROVED4, PORT))


attempt(lambda: globals()[VARIANT](socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)))

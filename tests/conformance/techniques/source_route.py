# title: source routing
# row: source routing
# variants: udp udp_control tcp beyond_approved beyond_approved_control
# family: 4 6
import socket

from common import APPROVED, MARK, PORT, TARGET, VARIANT, attempt, family, tcp
from common import udp as datagram

FAMILY = family(TARGET)
RETOPTS = 7  # IP_RETOPTS


def route(first: str, start: bytes = bytes([0, 4, 4, 1, 1, 0, 0, 0]) + bytes(16)) -> tuple[int, int, bytes]:
    """Level, name and value of an option that makes packets go to `first` on their way. IPv6: RFC 8754."""
    packed = socket.inet_pton(FAMILY, first)
    if FAMILY == socket.AF_INET:  # loose source route, RFC 791
        return socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x83\x07\x04" + packed + b"\0"
    return socket.IPPROTO_IPV6, socket.IPV6_RTHDR, start + packed


def by_option(first: str, last: str) -> None:
    sock = datagram()
    sock.setsockopt(*route(first))
    sock.sendto(MARK, (last, PORT))


def by_control_message(first: str, last: str) -> None:
    """No hook of setsockopt sees it. Of IPv6, only the header of mobility (RFC 6275) is taken this way."""
    level, name, value = route(first, bytes([0, 2, 2, 1, 0, 0, 0, 0]))
    message = (level, RETOPTS if level == socket.IPPROTO_IP else name, value)
    datagram().sendmsg([MARK], [message], 0, (last, PORT))


def udp() -> None:
    by_option(TARGET, APPROVED)


def udp_control() -> None:
    by_control_message(TARGET, APPROVED)


def tcp_connection() -> None:
    sock = tcp()
    sock.setsockopt(*route(TARGET))
    sock.connect((APPROVED, PORT))
    sock.sendall(MARK)


def beyond_approved() -> None:
    """The packet goes to the approved address, and is to be sent on from there."""
    by_option(APPROVED, TARGET)


def beyond_approved_control() -> None:
    by_control_message(APPROVED, TARGET)


attempt(tcp_connection if VARIANT == "tcp" else globals()[VARIANT])

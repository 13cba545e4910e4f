# title: raw IP socket
# row: raw IP
# caps: net_raw
# variants: header_included header_lies to_approved udp icmp udp6 header_included6
import socket
import struct

from common import APPROVED4, MARK, PORT, SOURCE4, SOURCE6, TARGET4, TARGET6, VARIANT, attempt

DATAGRAM = struct.pack("!HHHH", PORT, PORT, 8 + len(MARK), 0) + MARK


def packet(destination: str) -> bytes:
    start = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(DATAGRAM), 1, 0, 64, 17, 0)
    return b"".join((start, socket.inet_aton(SOURCE4), socket.inet_aton(destination), DATAGRAM))


def header_included() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(packet(TARGET4), (TARGET4, 0))


def header_lies() -> None:
    """Routed to the approved address; the header says another."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(packet(TARGET4), (APPROVED4, 0))


def to_approved() -> None:
    """Routed to the forbidden address; the header says the approved one."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sock.connect((TARGET4, 0))
    sock.send(packet(APPROVED4))


def udp() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 17).sendto(DATAGRAM, (TARGET4, 0))


def icmp() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).sendto(b"\x08\0\0\0\0\0\0\0" + MARK, (TARGET4, 0))


def udp6() -> None:
    socket.socket(socket.AF_INET6, socket.SOCK_RAW, 17).sendto(DATAGRAM, (TARGET6, 0))


def header_included6() -> None:
    start = struct.pack("!IHBB", 6 << 28, len(DATAGRAM), 17, 64)
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, each) for each in (SOURCE6, TARGET6))
    socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(
        start + addresses + DATAGRAM, (TARGET6, 0)
    )


attempt(globals()[VARIANT])

# title: another protocol over IP
# row: UDP-Lite, ping sockets, SCTP, DCCP
# variants: udplite_sendto udplite_connect ping_sendto ping_connect ping_to_approved sctp dccp
# family: 4 6
import socket

from common import APPROVED, MARK, PORT, TARGET, VARIANT, attempt, family

FAMILY = family(TARGET)
ECHO = b"\x80\0\0\0\0\0\0\1" if FAMILY == socket.AF_INET6 else b"\x08\0\0\0\0\0\0\1"
ICMP = socket.IPPROTO_ICMPV6 if FAMILY == socket.AF_INET6 else socket.IPPROTO_ICMP


def udplite_sendto() -> None:
    socket.socket(FAMILY, socket.SOCK_DGRAM, 136).sendto(MARK, (TARGET, PORT))


def udplite_connect() -> None:
    sock = socket.socket(FAMILY, socket.SOCK_DGRAM, 136)
    sock.connect((TARGET, PORT))
    sock.send(MARK)


def ping_sendto() -> None:
    socket.socket(FAMILY, socket.SOCK_DGRAM, ICMP).sendto(ECHO + MARK, (TARGET, 0))


def ping_connect() -> None:
    sock = socket.socket(FAMILY, socket.SOCK_DGRAM, ICMP)
    sock.connect((TARGET, 0))
    sock.send(ECHO + MARK)


def ping_to_approved() -> None:
    """Connected to one address, sent to another."""
    sock = socket.socket(FAMILY, socket.SOCK_DGRAM, ICMP)
    sock.connect((APPROVED, 0))
    sock.sendto(ECHO + MARK, (TARGET, 0))


def sctp() -> None:
    sock = socket.socket(FAMILY, socket.SOCK_STREAM, 132)
    sock.settimeout(1)
    sock.connect((TARGET, PORT))
    sock.send(MARK)


def dccp() -> None:
    sock = socket.socket(FAMILY, 6, 33)
    sock.settimeout(1)
    sock.setsockopt(269, 2, b"\0\0\0*")  # SOL_DCCP, DCCP_SOCKOPT_SERVICE
    sock.connect((TARGET, PORT))
    sock.send(MARK)


attempt(globals()[VARIANT])

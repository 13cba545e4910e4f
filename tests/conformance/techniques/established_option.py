# title: source route given to a connection that is established
# row: source routing
# variants: tcp udp
# family: 4 6
import socket
import time

from common import APPROVED, MARK, PORT, TARGET, VARIANT, attempt, family, tcp, udp

FAMILY = family(TARGET)


def route() -> tuple[int, int, bytes]:
    """Level, name and value of an option that makes packets go to the forbidden address first."""
    packed = socket.inet_pton(FAMILY, TARGET)
    if FAMILY == socket.AF_INET:
        return socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x83\x07\x04" + packed + b"\0"
    return socket.IPPROTO_IPV6, socket.IPV6_RTHDR, bytes([0, 4, 4, 1, 1, 0, 0, 0]) + bytes(16) + packed


def work() -> None:
    """What is sent before the option makes the verdict for the approved address a remembered one."""
    sock = tcp() if VARIANT == "tcp" else udp()
    sock.connect((APPROVED, PORT))
    for _ in range(3):
        sock.send(b"harmless")
        sock.recv(100)
    sock.setsockopt(*route())
    for _ in range(3):
        sock.send(MARK)
        time.sleep(0.05)


attempt(work)

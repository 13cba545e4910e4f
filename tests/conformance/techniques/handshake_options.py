# title: bytes in the extension headers of a handshake by SYN cookie
# row: accepted connections, listener replies, UDP replies
# caps: net_admin
# dial: tcp
# judge: mark
# variants: routing_header destination_options
import socket
import time

from common import MARK, PORT, SOURCE6, TARGET6, VARIANT, attempt

RTHDR, DSTOPTS = 57, 59  # linux/in6.h


def routing_header(sock: socket.socket) -> None:
    """Segments are addresses, and any sixteen bytes are one (RFC 8754)."""
    segments = bytes(16) + MARK.rjust(16, b" ") + socket.inet_pton(socket.AF_INET6, TARGET6)
    sock.setsockopt(socket.IPPROTO_IPV6, RTHDR, bytes([0, 6, 4, 2, 2, 0, 0, 0]) + segments)


def destination_options(sock: socket.socket) -> None:
    """An option that nobody knows and everybody skips."""
    header = bytes([0, 1, 0x1E, 12]) + MARK.ljust(12)[:12]
    sock.setsockopt(socket.IPPROTO_IPV6, DSTOPTS, header)


def work() -> None:
    with open("/proc/sys/net/ipv4/tcp_syncookies", "w", encoding="ascii") as file:
        file.write("2")
    with socket.socket(socket.AF_INET6) as listener:
        globals()[VARIANT](listener)
        listener.bind((SOURCE6, PORT))
        listener.listen()
        time.sleep(0.5)


attempt(work)

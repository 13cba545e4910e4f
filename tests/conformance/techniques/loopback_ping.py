# title: ping to this host, read by an untagged raw socket
# row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
# helper: relay_pings
# variants: 127.0.0.1 ::1 own4 own6
import socket

from common import MARK, SOURCE4, SOURCE6, VARIANT, attempt, family

to = {"own4": SOURCE4, "own6": SOURCE6}.get(VARIANT, VARIANT)
V6 = family(to) == socket.AF_INET6


def work() -> None:
    protocol = socket.IPPROTO_ICMPV6 if V6 else socket.IPPROTO_ICMP
    request = b"\x80\0\0\0\0\0\0\1" if V6 else b"\x08\0\0\0\0\0\0\1"
    socket.socket(family(to), socket.SOCK_DGRAM, protocol).sendto(request + MARK, (to, 0))


attempt(work)

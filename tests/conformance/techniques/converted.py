# title: IPv6 socket that becomes an IPv4 socket
# row: ::ffff: addresses
# variants: udp udp_connected_anew
import socket

from common import APPROVED4, MARK, PORT, TARGET4, VARIANT, attempt

IPV6_ADDRFORM = 1


def work() -> None:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.connect(("::ffff:" + APPROVED4, PORT))
    sock.setsockopt(socket.IPPROTO_IPV6, IPV6_ADDRFORM, socket.AF_INET)
    converted = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, fileno=sock.detach())
    if VARIANT == "udp":
        converted.sendto(MARK, (TARGET4, PORT))
    else:
        converted.connect((TARGET4, PORT))
        converted.send(MARK)


attempt(work)

# title: destination that is taken to be on the wire itself
# row: SO_BINDTODEVICE, SO_MARK, IP_PKTINFO
# variants: udp tcp connected_udp
import socket

from common import IFACE, MARK, PORT, TARGET4, VARIANT, attempt


def work() -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if VARIANT == "tcp" else socket.SOCK_DGRAM)
    sock.settimeout(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, IFACE.encode())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
    if VARIANT == "udp":
        sock.sendto(MARK, socket.MSG_DONTROUTE, (TARGET4, PORT))
    else:
        sock.connect((TARGET4, PORT))
        sock.send(MARK)


attempt(work)

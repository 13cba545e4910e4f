# title: answer to an untagged process of this host that asks a tagged server
# row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
# helper: ask_and_relay
# variants: tcp udp
# family: 4 6
import socket

from common import HELPER_PORT, MARK, TARGET, VARIANT, attempt, family

FAMILY = family(TARGET)


def tcp() -> None:
    with socket.socket(FAMILY) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::1" if FAMILY == socket.AF_INET6 else "127.0.0.1", HELPER_PORT))
        listener.listen()
        listener.settimeout(2)
        sock = listener.accept()[0]
        sock.sendall(MARK)
        sock.settimeout(1)
        sock.recv(1)


def udp() -> None:
    sock = socket.socket(FAMILY, socket.SOCK_DGRAM)
    sock.bind(("::1" if FAMILY == socket.AF_INET6 else "127.0.0.1", HELPER_PORT))
    sock.settimeout(2)
    for _ in range(3):
        sock.sendto(MARK, sock.recvfrom(100)[1])


attempt(globals()[VARIANT])

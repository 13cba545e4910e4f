# title: IPv4 through an IPv6 socket
# row: ::ffff: addresses
# variants: tcp fast_open udp_sendto udp_connect udp_sendmsg udp_name_of_ipv4 udp_connect_name_of_ipv4 compatible
# variants: nat64 six_to_four
import ctypes
import os
import socket
import struct
import time

from common import MARK, PORT, TARGET4, VARIANT, attempt

NAME = "::ffff:" + TARGET4
WORDS = socket.inet_aton(TARGET4).hex()


def made(kind: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6, kind)
    sock.settimeout(1)
    return sock


def tcp() -> None:
    sock = made(socket.SOCK_STREAM)
    sock.connect((NAME, PORT))
    sock.sendall(MARK)


def fast_open() -> None:
    sock = made(socket.SOCK_STREAM)
    sock.sendto(MARK, 0x20000000, (NAME, PORT))
    time.sleep(0.2)


def udp_sendto() -> None:
    made(socket.SOCK_DGRAM).sendto(MARK, (NAME, PORT))


def udp_connect() -> None:
    sock = made(socket.SOCK_DGRAM)
    sock.connect((NAME, PORT))
    sock.send(MARK)


def udp_sendmsg() -> None:
    made(socket.SOCK_DGRAM).sendmsg([MARK], [], 0, (NAME, PORT))


def ipv4_name() -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", PORT) + socket.inet_aton(TARGET4) + bytes(8)


def checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def udp_name_of_ipv4() -> None:
    """sockaddr_in given to an AF_INET6 socket: the kernel hands it to the other family."""
    sock, libc = made(socket.SOCK_DGRAM), ctypes.CDLL(None, use_errno=True)
    checked(libc.sendto(sock.fileno(), MARK, len(MARK), 0, ipv4_name(), 16))


def udp_connect_name_of_ipv4() -> None:
    sock, libc = made(socket.SOCK_DGRAM), ctypes.CDLL(None, use_errno=True)
    checked(libc.connect(sock.fileno(), ipv4_name(), 16))
    sock.send(MARK)


def embedded(address: str) -> None:
    made(socket.SOCK_DGRAM).sendto(MARK, (address, PORT))


def compatible() -> None:
    embedded("::" + TARGET4)


def nat64() -> None:
    embedded("64:ff9b::" + TARGET4)


def six_to_four() -> None:
    embedded(f"2002:{WORDS[:4]}:{WORDS[4:]}::1")


attempt(globals()[VARIANT])

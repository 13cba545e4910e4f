"""What techniques in Python have in common: the environment, and how a program ends."""

import errno
import os
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

TARGET, TARGET4, TARGET6 = (os.environ[name] for name in ("TARGET", "TARGET4", "TARGET6"))
APPROVED, APPROVED4, APPROVED6 = (os.environ[name] for name in ("APPROVED", "APPROVED4", "APPROVED6"))
SOURCE4, SOURCE6 = os.environ["SOURCE4"], os.environ["SOURCE6"]
PORT, HELPER_PORT = int(os.environ["PORT"]), int(os.environ["HELPER_PORT"])
MARK = os.environ["MARK"].encode()
IFACE, IFINDEX = os.environ["IFACE"], int(os.environ["IFINDEX"])
HELPER = os.environ["HELPER"]
VARIANT = os.environ["VARIANT"]

_UNSUPPORTED = {
    errno.EPROTONOSUPPORT,
    errno.ESOCKTNOSUPPORT,
    errno.EAFNOSUPPORT,
    errno.ENOPROTOOPT,
    errno.ENOSYS,
    errno.EPFNOSUPPORT,
}


def family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address: str = TARGET) -> socket.socket:
    return _timed(socket.socket(family(address), socket.SOCK_STREAM))


def udp(address: str = TARGET) -> socket.socket:
    return _timed(socket.socket(family(address), socket.SOCK_DGRAM))


def _timed(sock: socket.socket) -> socket.socket:
    sock.settimeout(1)
    return sock


def attempt(work: Callable[[], object]) -> NoReturn:
    """Does `work` and ends the program: 0 it went, 1 refused, 77 this kernel has no such thing."""
    try:
        work()
    except OSError as error:
        print(errno.errorcode.get(error.errno or 0, str(error)), error)
        sys.exit(77 if error.errno in _UNSUPPORTED else 1)
    sys.exit(0)

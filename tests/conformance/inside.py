"""Sockets in a network namespace, made from any thread of a process that stays outside."""

import ctypes
import os
import socket
from concurrent.futures import ThreadPoolExecutor

from tests.testbed import Namespace

_CLONE_NEWNET = 0x40000000


class Inside:
    """A thread that lives in the namespace and makes sockets there for the others."""

    def __init__(self, namespace: Namespace) -> None:
        self._thread = ThreadPoolExecutor(1, "inside", _enter, (str(namespace.path),))

    def socket(self, family: int, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        return self._thread.submit(socket.socket, family, kind, protocol).result()

    def close(self) -> None:
        self._thread.shutdown()


def _enter(path: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, os.O_RDONLY)
    try:
        if libc.setns(fd, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    finally:
        os.close(fd)

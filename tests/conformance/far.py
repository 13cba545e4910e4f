"""The far side of the wire: it answers whoever calls, and calls those who wait."""

import selectors
import socket
import threading
from contextlib import suppress

from tests.conformance.inside import Inside

_MPTCP = 262
_STEP = 0.05  # seconds
_GREETING = b"a stranger asks"


class Service:
    """Listens on one port of all addresses, TCP and UDP, and echoes. With `dial` it calls `sources` there as well."""

    def __init__(self, inside: Inside, port: int, addresses: list[str], dial: str = "", sources: tuple[str, ...] = ()):
        self._inside, self._port, self._addresses = inside, port, addresses
        self._stopping = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._udp = {address: self._listen_udp(address) for address in addresses}
        self._listen_tcp()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        if dial:
            work = {"tcp": self._dial_tcp, "udp": self._dial_udp}[dial]
            self._threads += [threading.Thread(target=work, args=(each,), daemon=True) for each in sources]

    def _listen_udp(self, address: str) -> socket.socket:
        sock = self._inside.socket(_family(address), socket.SOCK_DGRAM)
        sock.bind((address, self._port))
        self._selector.register(sock, selectors.EVENT_READ, self._answer_udp)
        return sock

    def _listen_tcp(self) -> None:
        """With MPTCP where the kernel has it: who calls by plain TCP gets plain TCP."""
        try:
            sock = self._inside.socket(socket.AF_INET6, socket.SOCK_STREAM, _MPTCP)
        except OSError:
            sock = self._inside.socket(socket.AF_INET6)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", self._port))
        sock.listen(64)
        self._selector.register(sock, selectors.EVENT_READ, self._accept)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(_STEP):
                with suppress(OSError):
                    key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        self._selector.register(listener.accept()[0], selectors.EVENT_READ, self._answer_tcp)

    def _answer_tcp(self, sock: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = sock.recv(65536)
            sock.sendall(data)
        if not data:
            self._selector.unregister(sock)
            sock.close()

    def _answer_udp(self, sock: socket.socket) -> None:
        sock.sendto(*sock.recvfrom(65536))

    def _dial_tcp(self, source: str) -> None:
        """Connects from the forbidden address again and again, and reads what it is told."""
        while not self._stopping.wait(_STEP):
            with suppress(OSError), self._inside.socket(_family(source)) as sock:
                sock.bind((self._forbidden(source), 0))
                sock.settimeout(1)
                sock.connect((source, self._port))
                while sock.recv(65536):
                    pass

    def _dial_udp(self, source: str) -> None:
        while not self._stopping.wait(_STEP):
            with suppress(OSError):
                self._udp[self._forbidden(source)].sendto(_GREETING, (source, self._port))

    def _forbidden(self, source: str) -> str:
        return next(address for address in self._addresses if _family(address) == _family(source))

    def __enter__(self) -> "Service":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET

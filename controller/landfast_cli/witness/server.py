"""A witness that logs can ask: HTTP, with exactly `add-checkpoint` of https://c2sp.org/tlog-witness.

Who asks need not be known: only what a log has signed is looked at. TLS, if wanted, is for a proxy in front.
"""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from socket import AF_INET, AF_INET6, SHUT_RDWR
from socketserver import ThreadingTCPServer
from typing import Any

import click

from landfast.event import printable
from landfast.tlog import witness as protocol
from landfast.tlog.witness import OtherSizeError, RefusedError, Submission
from landfast_cli.errors import BadInputError, CouldNotError
from landfast_cli.witness.judge import Witness

#: Connections at a time; more are closed at once.
_CONNECTIONS = 64

#: Seconds without a byte, and seconds that a connection lasts whatever happens on it.
_PAUSE_S, _LIFE_S = 10, 60

_LENGTH, _PORT = re.compile(r"[0-9]{1,9}"), re.compile(r"[0-9]{1,5}")
_PLAIN = "text/plain; charset=utf-8"


class Server(ThreadingTCPServer):
    """Listens as soon as it is made."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = _CONNECTIONS

    def __init__(self, host: str, port: int, witness: Witness) -> None:
        self.witness = witness
        self.address_family = AF_INET6 if ":" in host else AF_INET
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        host, port = self.socket.getsockname()[:2]
        return f"[{host}]:{port}" if self.address_family == AF_INET6 else f"{host}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes in the middle is no event."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


@contextmanager
def listening(listen: str, witness: Witness) -> Iterator[Server]:
    """Raises BadInputError for what is no address, CouldNotError for one that cannot be had."""
    host, _, port = listen.rpartition(":")
    if not host or not _PORT.fullmatch(port):
        raise BadInputError(f"--listen {listen!r}: write HOST:PORT, such as 127.0.0.1:7444 or [::]:7444")
    try:
        server = Server(host.strip("[]"), int(port), witness)
    except (OSError, OverflowError) as error:
        raise CouldNotError(f"--listen {listen}: {error}; choose a free address of this machine") from None
    with server:
        yield server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "landfast-witness", ""
    timeout = _PAUSE_S
    server: Server

    def setup(self) -> None:
        super().setup()
        self._end = threading.Timer(_LIFE_S, self._cut)
        self._end.daemon = True
        self._end.start()

    def finish(self) -> None:
        self._end.cancel()
        super().finish()

    def do_POST(self) -> None:
        if self.path != f"/{protocol.PATH}":
            self._refuse(404, f"only POST /{protocol.PATH} is answered here")
        elif (body := self._body()) is not None:
            self._decide(body)

    def _body(self) -> bytes | None:
        """None when it was refused, or never came."""
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not _LENGTH.fullmatch(length):
            self._refuse(411, "a Content-Length is expected")
        elif int(length) > protocol.LIMIT:
            self._refuse(413, f"a request has {protocol.LIMIT} bytes at most")
        else:
            body = self.rfile.read(int(length))
            self.close_connection |= len(body) < int(length)
            return body if len(body) == int(length) else None
        return None

    def _decide(self, body: bytes) -> None:
        try:
            line = self.server.witness.cosign(Submission.decode(body))
        except OtherSizeError as error:
            self._say(f"409: {error}")
            self._answer(error.status, protocol.size_line(error.known), protocol.SIZE_TYPE)
        except RefusedError as error:
            self._say(f"{error.status}: {error}")
            self._answer(error.status, f"{error}\n".encode())
        except CouldNotError as error:
            self._say(f"503: {error}")
            self._answer(503, b"it cannot be remembered now, and so is not cosigned; try again\n")
        else:
            self._answer(200, line.encode())

    def _refuse(self, status: int, text: str) -> None:
        """Of a request whose body is not read: nothing can follow it."""
        self.close_connection = True
        self._answer(status, f"{text}\n".encode())

    def _answer(self, status: int, body: bytes, content_type: str = _PLAIN) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _say(self, text: str) -> None:
        click.echo(f"{self.client_address[0]}: {printable(text)}", err=True)

    def _cut(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """What is cosigned is no news."""

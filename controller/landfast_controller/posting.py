"""POST by HTTP to who the configuration names: small, without redirects, and over when it has taken long enough.

It needs no thread, so that whoever does not answer holds up nothing but itself, and is left at once on a stop.
"""

import asyncio
import io
import re
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import SplitResult, urlsplit

_TIMEOUT_S = 10.0
_URL = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}

#: Bytes of an answer, headers included.
_LIMIT = 2**18


@dataclass(frozen=True)
class Answer:
    status: int
    reason: str
    body: bytes


async def post(url: str, body: bytes, content_type: str) -> Answer:
    """Raises OSError when there is no answer, or none that can be understood."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            return _answer(await _exchanged(parts, _head(parts, len(body), content_type) + body))
    except TimeoutError:
        raise OSError(f"{url} has not answered within {_TIMEOUT_S:.0f} s") from None
    except (HTTPException, ValueError) as error:
        raise OSError(f"{url} answers what is no HTTP: {error!r}") from None


def check_url(url: str) -> None:
    """Raises ValueError unless it is one that can be posted to."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username or not _URL.fullmatch(url):
        raise ValueError(f"url {url!r}: use https://HOST/PATH")
    parts.port  # noqa: B018 # which raises ValueError too


def _head(parts: SplitResult, length: int, content_type: str) -> bytes:
    target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    headers = {
        "Host": parts.netloc,
        "User-Agent": "landfast-controller",
        "Content-Type": content_type,
        "Content-Length": str(length),
        "Connection": "close",
    }
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


async def _exchanged(parts: SplitResult, request: bytes) -> bytes:
    """All that comes until the other side closes."""
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or _PORTS[parts.scheme], ssl=secure)
    try:
        writer.write(request)
        await writer.drain()
        return await _all(reader)
    finally:
        writer.transport.abort()


async def _all(reader: asyncio.StreamReader) -> bytes:
    data = b""
    while part := await reader.read(_LIMIT):
        data += part
        if len(data) > _LIMIT:
            raise OSError(f"an answer of more than {_LIMIT} bytes")
    return data


class _Received:
    """A connection on which everything has come already."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: Any) -> io.BytesIO:
        return io.BytesIO(self._data)


def _answer(data: bytes) -> Answer:
    response = HTTPResponse(_Received(data), method="POST")  # type: ignore[arg-type] # it needs nothing but makefile
    response.begin()
    return Answer(response.status, response.reason, response.read())

"""HTTP as the controller speaks it: one request, one answer, whatever the other side does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from landfast_controller import posting

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _serving(behaviour: Behaviour) -> AsyncIterator[str]:
    ended = asyncio.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            ended.release()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await ended.acquire()


def _answering(answer: bytes, asked: list[bytes] | None = None) -> Behaviour:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(5)
        if asked is not None:
            asked.append(head + body)
        writer.write(answer)

    return answering


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nyes\n", (200, "OK", b"yes\n")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nye\r\n2\r\ns\n\r\n0\r\n\r\n",
            (200, "OK", b"yes\n"),
        ),
        (b"HTTP/1.0 409 Conflict\r\n\r\n23\n", (409, "Conflict", b"23\n")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Done\r\n\r\n", (204, "Done", b"")),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", (302, "Found", b"")),
    ],
)
async def test_an_answer_is_what_came(answer: bytes, expected: tuple[int, str, bytes]) -> None:
    asked: list[bytes] = []
    async with _serving(_answering(answer, asked)) as url:
        found = await posting.post(f"{url}/a/path?with=more", b"body\n", "text/plain")
    assert (found.status, found.reason, found.body) == expected
    (request,) = asked
    lines = request.decode().split("\r\n")
    assert lines[0] == "POST /a/path?with=more HTTP/1.1"
    assert {f"Host: {url.removeprefix('http://')}", "Content-Length: 5", "Connection: close"} < set(lines)
    assert lines[-1] == "body\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nyes\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nye",
        b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2**18),
    ],
)
async def test_half_an_answer_is_none(answer: bytes) -> None:
    async with _serving(_answering(answer)) as url:
        with pytest.raises(OSError, match=r"answers what|an answer of"):
            await posting.post(url, b"body\n", "text/plain")


async def test_who_drips_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "_TIMEOUT_S", 0.5)

    async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing() and not reader.at_eof():
            writer.write(b"H")
            await asyncio.sleep(0.01)

    async with _serving(dripping) as url:
        with pytest.raises(OSError, match="has not answered"):
            await posting.post(url, b"body\n", "text/plain")


async def test_nobody_there() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(OSError, match="Connect call failed"):
        await posting.post(url, b"body\n", "text/plain")


@pytest.mark.parametrize("url", ["http://a", "https://a/b", "http://[::1]:7444/x?y"])
def test_urls(url: str) -> None:
    posting.check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "ftp://a",
        "https://",
        "http://a:b@c",
        "http://a:99999",
        "http://a/ b",
        "http://a\r\nX: y",
        "http://\u00e4",
    ],
)
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"url|[Pp]ort"):
        posting.check_url(url)

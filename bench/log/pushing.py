"""Hosts that push to one server: a channel and a stream each, open all the time."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

import grpc

from bench.fleet.deployment import Deployment
from landfast.channel import OPTIONS, credentials
from landfast.identity import Bundle

if TYPE_CHECKING:
    _Call = grpc.aio.StreamStreamCall[bytes, bytes]

#: Else channels to one address with equal credentials would be one connection.
_OWN = ("grpc.use_local_subchannel_pool", 1)

_PUSH = "/landfast.v1.AgentService/Push"


class Host:
    """A stream. Bytes go in and out as they are: what they cost to read is no server's business."""

    def __init__(self, call: "_Call") -> None:
        self._call = call

    async def push(self, messages: Sequence[bytes]) -> None:
        """Returns when each of them has been answered. Not to be called twice at a time."""
        await asyncio.gather(self._send(messages), self._hear(len(messages)))

    async def _send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            await self._call.write(message)

    async def _hear(self, answers: int) -> None:
        for _ in range(answers):
            if await self._call.read() is grpc.aio.EOF:
                raise ConnectionError(f"a server has ended its stream: {await self._call.details()}")


class Hosts:
    """To be entered: all hosts of a deployment, connected to one server."""

    def __init__(self, deployment: Deployment, names: Sequence[str], address: str) -> None:
        self._deployment, self._names, self._address = deployment, names, address
        self._open = AsyncExitStack()
        self.streams: list[Host] = []

    async def __aenter__(self) -> Self:
        for name in self._names:
            secret = credentials(Bundle.read(self._deployment.host(name)))
            channel = grpc.aio.secure_channel(self._address, secret, [*OPTIONS, _OWN])
            await self._open.enter_async_context(channel)
            self.streams.append(Host(channel.stream_stream(_PUSH)()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def push(self, messages: Sequence[Sequence[bytes]]) -> float:
        """Each host its own ones, all hosts at once: seconds until the last one was answered."""
        began = time.perf_counter()
        await asyncio.gather(*(host.push(mine) for host, mine in zip(self.streams, messages, strict=True)))
        return time.perf_counter() - began

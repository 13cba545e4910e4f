"""Hosts that push to one server: a channel and a stream each, open all the time."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

import grpc

from bench.fleet.deployment import Deployment
from bench.log.batches import Pushes
from landfast.channel import OPTIONS, credentials
from landfast.identity import Bundle
from landfast.v1.agent_pb2 import PushResponse

if TYPE_CHECKING:
    _Call = grpc.aio.StreamStreamCall[bytes, PushResponse]

#: Else channels to one address with equal credentials would be one connection.
_OWN = ("grpc.use_local_subchannel_pool", 1)

_PUSH = "/landfast.v1.AgentService/Push"


class Host:
    """A stream. Requests go out as they are: what they cost to make is no server's business."""

    def __init__(self, call: "_Call") -> None:
        self._call = call

    async def push(self, pushes: Pushes) -> None:
        """Returns when all of them have been acknowledged. Not to be called twice at a time."""
        await asyncio.gather(self._send(pushes.messages), self._hear(pushes.last))

    async def _send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            await self._call.write(message)

    async def _hear(self, last: int) -> None:
        acknowledged = 0
        while acknowledged < last:
            answer = await self._call.read()
            if not isinstance(answer, PushResponse):
                raise ConnectionError(f"a server has ended its stream: {await self._call.details()}")
            acknowledged = answer.acknowledged


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
            call: _Call = channel.stream_stream(_PUSH, response_deserializer=PushResponse.FromString)()
            self.streams.append(Host(call))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def push(self, pushes: Sequence[Pushes]) -> float:
        """Each host its own ones, all hosts at once: seconds until the last one was acknowledged."""
        began = time.perf_counter()
        await asyncio.gather(*(host.push(mine) for host, mine in zip(self.streams, pushes, strict=True)))
        return time.perf_counter() - began

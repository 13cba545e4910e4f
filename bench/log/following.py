"""Auditors: one that follows the log, and one that has subscribed and reads nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from landfast.v1.audit_pb2 import SubscribeRequest, SubscribeResponse
from landfast.v1.audit_pb2_grpc import AuditServiceStub

if TYPE_CHECKING:
    import grpc

    _Call = grpc.aio.UnaryStreamCall[SubscribeRequest, SubscribeResponse]

_SUBSCRIBED_S = 0.2  # nothing tells that a subscription that is not read has begun


class Follower:
    """Reads from now on. `batches` is how many have come."""

    def __init__(self, call: "_Call") -> None:
        self._call = call
        self.batches = 0
        self._come = asyncio.Condition()

    async def run(self) -> None:
        async for response in self._call:
            if response.batch:
                async with self._come:
                    self.batches += 1
                    self._come.notify_all()

    async def has(self, batches: int) -> None:
        """Returns when so many have come."""
        async with self._come:
            await self._come.wait_for(lambda: self.batches >= batches)


@asynccontextmanager
async def follower(channel: "grpc.aio.Channel") -> AsyncIterator[Follower]:
    made = Follower(AuditServiceStub(channel).Subscribe(SubscribeRequest(follow=True)))
    reading = asyncio.ensure_future(made.run())
    await asyncio.sleep(_SUBSCRIBED_S)
    try:
        yield made
    finally:
        reading.cancel()


@asynccontextmanager
async def stopped(channel: "grpc.aio.Channel") -> AsyncIterator[None]:
    """The whole log is on its way to this one, and stays there: its connection takes no more."""
    call = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0, follow=True))
    await asyncio.sleep(_SUBSCRIBED_S)
    try:
        yield
    finally:
        call.cancel()

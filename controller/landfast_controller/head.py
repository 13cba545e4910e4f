"""How far the log reaches, and waiting for it to grow."""

import asyncio


class Head:
    """The index that the next entry of the log will get. Waiters are woken; what they read comes from the database."""

    def __init__(self, index: int) -> None:
        self.index = index
        self._grown = asyncio.Condition()

    async def advance(self, index: int) -> None:
        """To be called after the commit that made the entries below `index` durable."""
        async with self._grown:
            self.index = max(self.index, index)
            self._grown.notify_all()

    async def beyond(self, index: int) -> int:
        """Waits until the log has an entry `index`; returns the head then."""
        async with self._grown:
            await self._grown.wait_for(lambda: self.index > index)
            return self.index

"""Waking everybody who waits for something to change."""

import asyncio
from collections.abc import Callable


class Bell:
    """Wakes all that wait in the same turn of the event loop.

    An asyncio.Condition would hand its lock from one to the next, which takes a turn for each: a fleet would be told of
    a new policy one host after the other, with the loop's other work in between.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """To be called after each change."""
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Returns when `holds()`, which is asked now and whenever the bell has rung."""
        while not holds():
            await self._rung.wait()

"""How long to wait before the next attempt."""

import random


class Backoff:
    """Delays in seconds that grow by half from `first` to `last`, each cut at random to between half and all of it.

    A controller that was away for a few seconds is found again within about a second; thousands of hosts that lost
    it at the same moment do not come back at the same moment.
    """

    def __init__(self, first: float = 0.2, last: float = 30.0) -> None:
        self._first, self._last = first, last
        self._next = first

    def next(self) -> float:
        delay = self._next
        self._next = min(delay * 1.5, self._last)
        return delay * random.uniform(0.5, 1.0)  # noqa: S311  # nobody gains by guessing it

    def reset(self) -> None:
        self._next = self._first

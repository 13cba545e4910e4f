"""Hashes of the newest entries, as the leaves of the tree: made while their bytes are in hand, not read again."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

#: Hashes that are kept, 32 bytes each: more than the hosts send in the time between two checkpoints.
_MOST = 2**16


class RecentLeaves:
    """What is not here (any more) is in the database."""

    def __init__(self) -> None:
        self._end = 0
        self._hashes: deque[bytes] = deque(maxlen=_MOST)

    def add(self, end: int, hashes: Sequence[bytes]) -> None:
        """Takes the hashes of the entries right below `end`; entries come in order, each once."""
        self._hashes.extend(hashes)
        self._end = end

    def of(self, begin: int, end: int) -> list[bytes]:
        """Hashes of the entries from `begin` to below `end`; none unless all of them are here."""
        first = self._end - len(self._hashes)
        return list(islice(self._hashes, begin - first, end - first)) if first <= begin and end <= self._end else []

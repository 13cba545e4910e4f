"""Denials, counted by destination within windows of time: which of them are many."""

from dataclasses import dataclass, field

#: Destinations of one window in memory, some MiB. A scan over more of them is many denials to none of these.
_MOST = 10_000


@dataclass
class Tally:
    """Kept in memory: after a restart the window counts from where the log was read last."""

    limit: int
    window_ns: int
    _window: int = 0
    _counts: dict[str, int] = field(default_factory=dict)

    def clear(self) -> None:
        """To be called before what was counted is read again."""
        self._counts.clear()

    def add(self, subject: str, count: int, at_ns: int) -> int:
        """How many more there are to tell of: none below the limit, all of them when it is reached, each one after."""
        if at_ns // self.window_ns != self._window:
            self._window = at_ns // self.window_ns
            self._counts.clear()
        if subject not in self._counts and len(self._counts) >= _MOST:
            return 0
        before = self._counts.get(subject, 0)
        self._counts[subject] = before + count
        if before + count < self.limit:
            return 0
        return count if before >= self.limit else before + count

"""Wall-clock deadlines on a clock that nobody can set: CLOCK_BOOTTIME.

A host may boot with a clock that is years behind, and a rule that has expired must not come back to life. The newest
time that was ever seen is kept in a file: until the clock is past it, that time is taken to be now.
"""

import time
from contextlib import suppress
from pathlib import Path

_NS = 1_000_000_000
_LAST_NS = 2**63 - 2  # 292 years after boot
_STEP_NS = 500_000_000  # a change of the offset above this is a step, below it is slewing


class Clock:
    """Converts instants of the policy. `floor_file` keeps the floor; it is written by `keep`."""

    def __init__(self, floor_file: Path) -> None:
        self._file = floor_file
        self._floor_ns = 0
        with suppress(FileNotFoundError, ValueError):
            self._floor_ns = int(floor_file.read_text())
        self._offset_ns = self.offset_ns()

    def now_ns(self) -> int:
        """CLOCK_REALTIME in nanoseconds, but never before the floor."""
        return max(time.time_ns(), self._floor_ns)

    def offset_ns(self) -> int:
        """What to add to CLOCK_BOOTTIME to get `now_ns`."""
        return self.now_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def boot_ns(self, unix_s: int) -> int:
        """When an instant is since boot; at least 1, so that one before boot is past, and before LF_FOREVER."""
        return min(max(unix_s * _NS - self.offset_ns(), 1), _LAST_NS)

    def has_stepped(self) -> bool:
        """Whether the clock was set since the last call that said so."""
        offset = self.offset_ns()
        stepped = abs(offset - self._offset_ns) > _STEP_NS
        if stepped:
            self._offset_ns = offset
        return stepped

    def keep(self) -> None:
        """Raises the floor to now, durably enough for a reboot."""
        self._floor_ns = self.now_ns()
        partial = self._file.with_suffix(".partial")
        partial.write_text(str(self._floor_ns))
        partial.rename(self._file)

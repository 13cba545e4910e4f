"""A clock that is set for chosen processes alone: libfaketime between them and CLOCK_REALTIME.

CLOCK_MONOTONIC and CLOCK_BOOTTIME go on as they are, as they do when somebody sets a machine's clock.
"""

import time
from pathlib import Path

_LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
_LOOK_S = 1  # how often the processes look at the file


class ShiftedClock:
    """Runs ahead of ours. `prefix` comes before a command line; `set` acts within a second, also on what runs."""

    def __init__(self, file: Path) -> None:
        if not Path(_LIBRARY).exists():  # the loader would only grumble, and the clock be the machine's
            raise FileNotFoundError(f"{_LIBRARY}: install libfaketime, as `make test-long` does")
        self._file = file
        self.set(0)

    def set(self, ahead_s: float) -> None:
        self.ahead_s = ahead_s
        partial = self._file.with_suffix(".partial")
        partial.write_text(f"+{ahead_s:f}\n")
        partial.rename(self._file)

    def time(self) -> float:
        """Seconds since 1970, on this clock."""
        return time.time() + self.ahead_s

    @property
    def prefix(self) -> list[str]:
        variables = {
            "LD_PRELOAD": _LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(_LOOK_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        return ["env", *(f"{name}={value}" for name, value in variables.items())]

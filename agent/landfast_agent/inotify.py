"""Being told when directories change: inotify(7). It works on the bpf and cgroup file systems as on any other."""

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from landfast_agent.errors import KernelError

# uapi/linux/inotify.h: entries moved, created or deleted, and the directory itself gone
_MASK = 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800
_EVENTS = 65536  # bytes to read at once


class Inotify:
    """A descriptor (`fileno`) that becomes readable whenever an entry of a watched directory comes or goes.

    What it says is of no interest, and an overrun is no loss: who is told looks at everything.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = int(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        if self._fd < 0:
            raise KernelError("watch directories: inotify_init1", ctypes.get_errno())

    def fileno(self) -> int:
        return self._fd

    def watch(self, paths: Iterable[Path]) -> None:
        """Watches directories; those already watched are not doubled, those that do not exist are left out."""
        for path in paths:
            if path.is_dir():
                self._libc.inotify_add_watch(self._fd, os.fsencode(path), _MASK)

    def drain(self) -> None:
        """Throws away what was told so far."""
        with suppress(BlockingIOError):
            while os.read(self._fd, _EVENTS):
                pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

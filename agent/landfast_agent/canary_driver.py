"""Runs the program `canary_probe` and talks to it."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from landfast_agent.errors import Unavailable

_PROGRAM = Path(__file__).with_name("canary_probe.py")
_PATIENCE_S = 60.0  # for a whole round


@dataclass(frozen=True)
class Told:
    """Answers by attempt: `ok` or the name of an errno; packets that came out of the device, by destination."""

    answers: list[str]
    escaped: dict[str, int]


class Driver:
    """One run of the probe: for each class `prepare`, then, when the process is tagged, `go`."""

    def __init__(self) -> None:
        command, pipe = [sys.executable, "-IS", str(_PROGRAM)], subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self._watchdog = threading.Timer(_PATIENCE_S, self._process.kill)

    def prepare(self, attempts: Sequence[tuple[str, str, int]]) -> int:
        """The process that is going to make the attempts."""
        self._say(json.dumps(attempts))
        return int(self._line())

    def go(self) -> Told:
        self._say("go")
        return Told(**json.loads(self._line()))

    def kill(self) -> None:
        """Ends it; whoever waits for it gets Unavailable. For any thread."""
        self._process.kill()

    def _say(self, words: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        """What it says next. Raises Unavailable when it has ended instead."""
        assert self._process.stdout
        assert self._process.stderr
        line = self._process.stdout.readline()
        if not line:
            last = self._process.stderr.read().strip().rpartition("\n")[2] or "no answer"
            raise Unavailable(f"the canary does not run ({last}): it needs network namespaces and /dev/net/tun")
        return line.strip()

    def __enter__(self) -> Self:
        self._watchdog.start()
        self._line()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        self.kill()
        self._process.communicate()

"""A program that runs beside the test: started, waited for, stopped, its output kept in a file."""

import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.testbed.cgroup import Cgroup
from tests.testbed.namespace import Namespace
from tests.testbed.waiting import eventually


class Program:
    """A running program. Leaving the context stops it; `output` is what it has printed so far."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        where: Namespace | None = None,
        cgroup: Cgroup | None = None,
        **options: Any,
    ) -> None:
        """Starts `argv` in a namespace and a cgroup, if given. `options` go to `subprocess.Popen`."""
        self.argv = [str(word) for word in argv]
        self.log = log
        command = where.command(argv, cgroup) if where else self.argv
        with log.open("ab") as sink:
            defaults: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": sink, "stderr": sink}
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                command, **(defaults | options), start_new_session=True
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def ready(self, holds: Callable[[], bool], timeout: float = 10.0) -> "Program":
        """Waits until `holds()`. When the program ends instead, RuntimeError with its last words."""

        def decided() -> bool:
            return self.process.poll() is not None or holds()

        try:
            eventually(decided, f"{self.argv[0]} is ready", timeout)
        except TimeoutError:
            self.kill()
            raise
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.argv[0]} ended with status {self.process.returncode}:\n{self.output[-2000:]}")
        return self

    def wait(self, timeout: float = 10.0) -> int:
        """Its exit status."""
        return self.process.wait(timeout)

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, then SIGKILL after `timeout` seconds. Its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """SIGKILL. Its exit status."""
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

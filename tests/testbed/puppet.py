"""A client that does what it is told, step by step: client.py --serve, driven through its standard streams."""

import json
import subprocess
from pathlib import Path

#: The command line of the client.
PUPPET = ["/usr/bin/python3", "-IS", str(Path(__file__).with_name("client.py")), "--serve"]


class Puppet:
    """Drives a process that was started with the command line `PUPPET` and pipes for text."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        assert self._line() == "ready", "the client did not start"

    @property
    def pid(self) -> int:
        return self.process.pid

    def do(self, *attempts: tuple[str, str, int]) -> list[str]:
        """What the client is told, attempt by attempt: (way, address, port) as client.py knows them."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(attempts) + "\n")
        self.process.stdin.flush()
        results: list[str] = json.loads(self._line())
        return results

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

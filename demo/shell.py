"""A shell that carries the data class: a workload that lives on while the agent does not."""

import subprocess
from dataclasses import dataclass

_END = "-- end of command --"


@dataclass(frozen=True)
class Answer:
    """What a command of the shell printed (both streams), and its exit status."""

    status: int
    text: str


class Shell:
    """/bin/sh started by `argv`, taking one command at a time."""

    def __init__(self, argv: list[str]) -> None:
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )

    def run(self, command: str) -> Answer:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\necho {_END} $?\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Answer:
        lines: list[str] = []
        for line in self._process.stdout or ():
            if line.startswith(_END):
                return Answer(int(line.split()[-1]), "".join(lines))
            lines.append(line)
        raise RuntimeError(f"the tagged shell ended: {''.join(lines)}")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

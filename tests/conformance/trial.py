"""One technique under one runner, from its first instruction to what the wire proves."""

import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.conformance import build
from tests.conformance.lab import Lab
from tests.conformance.runners import Session
from tests.conformance.technique import Technique
from tests.testbed import Program

_EXEC_FAILED = 125  # of `landfast-agent exec`
_NEVER_ENDED = -1000
_WORDS = 300  # characters kept of what a program says


class Outcome(StrEnum):
    ESCAPED = "escaped"
    HELD = "held"
    CANNOT = "cannot"  # it does not get out here although nothing confines it
    BROKEN = "broken"  # the trial itself failed: it proves nothing
    WORKS = "works"  # a control, which must


@dataclass(frozen=True)
class Result:
    """What came of a trial. `said` is the program's own view, `seen` the first forbidden frames.

    `program` is the digest of what was run.
    """

    technique: str
    outcome: Outcome
    said: str
    status: int
    frames: int = 0
    apart: int = 0
    seen: tuple[str, ...] = ()
    seconds: float = 0
    program: str = ""


class Broken(Exception):
    """A helper, a tag or a control failed."""


@dataclass(frozen=True)
class Trial:
    """`slow` multiplies every limit of time, for emulated machines."""

    session: Session
    lab: Lab
    slow: float = 1

    def run(self, technique: Technique) -> Result:
        started = time.monotonic()
        try:
            status, said = self._perform(technique)
            result = self.judge(technique, status, said)
        except (Broken, RuntimeError, OSError, subprocess.SubprocessError) as error:
            result = Result(technique.name, Outcome.BROKEN, str(error)[-_WORDS:], -1)
        return Result(**(vars(result) | {"seconds": round(time.monotonic() - started, 1)}))

    def judge(self, technique: Technique, status: int, said: str) -> Result:
        """What the wire has shown of the technique until now."""
        port = None if technique.known_by_mark else self.lab.port(technique)
        forbidden, apart = self.lab.capture.of(self.lab.mark(technique), port)
        outcome = Outcome.ESCAPED if forbidden else Outcome.HELD
        seen = tuple(str(sight) for sight in forbidden[:3])
        return Result(technique.name, outcome, said, status, len(forbidden), len(apart), seen)

    def _perform(self, technique: Technique) -> tuple[int, str]:
        with self.lab.serving(technique) as directory:
            environment = self._environment(technique, directory)
            with self._helper(technique, directory, environment):
                status, said = self._program(technique, directory, environment)
                time.sleep((0.4 if technique.helper else 0.1) * self.slow)
        if problem := self.lab.control(5 * self.slow):
            raise Broken(problem)
        return status, said

    def _environment(self, technique: Technique, directory: Path) -> dict[str, str]:
        told = self.lab.environment(technique, directory) | self.session.environment
        confine = {"CONFINE": "\n".join(self.session.confine([])), "CGROUP_CONFINED": str(self.session.confined.path)}
        return told | confine | {"SLOW": str(math.ceil(self.slow))}

    @contextmanager
    def _helper(self, technique: Technique, directory: Path, environment: dict[str, str]) -> Iterator[None]:
        if technique.helper is None:
            yield
            return
        with self._started(build.command(technique.helper), directory, "helper", environment) as helper:
            self._await_ready(helper)
            try:
                yield
            finally:
                helper.stop()  # gently: some clean up behind themselves

    def _program(self, technique: Technique, directory: Path, environment: dict[str, str]) -> tuple[int, str]:
        argv = build.command(technique.source)
        command = argv if technique.starts_free else self.session.confine(argv)
        with self._started(command, directory, "program", environment, confined=not technique.starts_free) as program:
            refused = self._tag(program) if technique.late else ""
            if refused:
                return -signal.SIGKILL, f"not tagged: {refused}"
            status = self._wait(program)
            _check(status, program.output)
            return status, f"{_ending(status)}{_last_words(program.output)}"

    @contextmanager
    def _started(
        self, argv: list[str], directory: Path, name: str, environment: dict[str, str], confined: bool = False
    ) -> Iterator[Program]:
        """A program in the source's namespace. It and its process group end with the context."""
        cgroup = self.session.confined if confined else self.session.free
        with Program(
            argv,
            directory / f"{name}.log",
            self.lab.source,
            cgroup,
            env=environment,
            cwd=directory,
            stdin=subprocess.PIPE,
        ) as program:
            try:
                yield program
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                if program.process.stdin:
                    with suppress(BrokenPipeError):  # what it was killed before reading
                        program.process.stdin.close()

    def _tag(self, program: Program) -> str:
        self._await_ready(program)
        if refused := self.session.tag(self.lab, program.pid):
            return refused
        assert program.process.stdin is not None
        with suppress(BrokenPipeError):  # it was killed for what it holds
            program.process.stdin.write(b"go\n")
            program.process.stdin.flush()
        return ""

    def _await_ready(self, program: Program) -> None:
        try:
            program.ready(lambda: "ready" in program.output, 10 * self.slow)
        except (RuntimeError, TimeoutError) as error:
            raise Broken(f"{program.log.stem} did not get ready: {error}") from error

    def _wait(self, program: Program) -> int:
        try:
            return program.wait(8 * self.slow)
        except subprocess.TimeoutExpired:
            return _NEVER_ENDED


def _check(status: int, output: str) -> None:
    """A technique that fails by a mistake of its own was not held by anybody."""
    not_started = status == _EXEC_FAILED and "landfast-agent exec:" in output
    if not_started or (status == 1 and "Traceback (most recent call last)" in output):
        raise Broken(output.strip()[-_WORDS:])


def _ending(status: int) -> str:
    """What there is to say of a program that did not end by itself."""
    if status == _NEVER_ENDED:
        return "did not end: "
    return f"killed by {signal.Signals(-status).name}: " if status < 0 else ""


def _last_words(output: str) -> str:
    return " ".join(output.split())[-_WORDS:]

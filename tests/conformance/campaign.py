"""All techniques under one runner: most of them side by side in one lab, those that alter it in labs of their own."""

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.conformance.lab import Lab
from tests.conformance.runners import Runner, Session
from tests.conformance.technique import Technique, controls
from tests.conformance.trial import Outcome, Result, Trial

#: Pseudo technique: frames that nobody accounts for.
STRAYS = "control.strays"


@dataclass(frozen=True)
class Campaign:
    """`tell` hears of every trial when it is over, and again if the wire says more; `note` hears of the runner.

    `tell` is called in any thread.
    """

    runner: Runner
    directory: Path
    tell: Callable[[Result], None]
    note: Callable[[dict[str, str]], None]
    jobs: int = 4
    slow: float = 1

    def run(self, techniques: list[Technique]) -> None:
        gentle = [technique for technique in techniques if not technique.spoils]
        if gentle:
            with self.runner.start(self.directory, self.slow) as session:
                self.note(session.facts())
                self._together(session, [technique for technique in gentle if not technique.alone])
                with ThreadPoolExecutor(self.jobs) as pool:
                    alone = [technique for technique in gentle if technique.alone]
                    list(pool.map(lambda technique: self._by_itself(session, technique), alone))
        for technique in techniques:
            if technique.spoils:
                with self.runner.start(self.directory, self.slow) as session:
                    self._by_itself(session, technique)

    def _together(self, session: Session, techniques: list[Technique]) -> None:
        with self._lab(session) as trial:
            self._controls(trial, "before")
            results = self._side_by_side(trial, techniques)
            trial.lab.capture.settle(0.5 * self.slow)
            for technique in techniques:
                self._tell_changes(trial, technique, results[technique.name])
            self._controls(trial, "after")
            self._strays(trial.lab, [*techniques, *controls()])

    def _side_by_side(self, trial: Trial, techniques: list[Technique]) -> dict[str, Result]:
        results = {}
        with ThreadPoolExecutor(self.jobs) as pool:
            for future in as_completed([pool.submit(trial.run, technique) for technique in techniques]):
                result = future.result()
                results[result.technique] = result
                self.tell(result)
        return results

    def _by_itself(self, session: Session, technique: Technique) -> None:
        with self._lab(session) as trial:
            self._controls(trial, technique.name, only="approved")
            result = trial.run(technique)
            self.tell(result)
            trial.lab.capture.settle(0.2 * self.slow)
            self._tell_changes(trial, technique, result)

    def _tell_changes(self, trial: Trial, technique: Technique, before: Result) -> None:
        """What came late: retransmissions, data that somebody else flushed."""
        if before.outcome is Outcome.HELD:
            now = trial.judge(technique, before.status, before.said)
            if now.outcome is not before.outcome:
                self.tell(replace(now, seconds=before.seconds))

    def _controls(self, trial: Trial, when: str, only: str = "") -> None:
        """Each must end with status 0, every time."""
        for control in controls():
            if not only or control.name == only:
                result = trial.run(control)
                good = result.status == 0 and result.outcome is not Outcome.BROKEN
                outcome = Outcome.WORKS if good else Outcome.BROKEN
                self.tell(replace(result, technique=f"control.{control.name}.{when}", outcome=outcome))

    def _strays(self, lab: Lab, techniques: list[Technique]) -> None:
        seen = lab.strays(techniques)
        outcome = Outcome.BROKEN if seen else Outcome.WORKS
        self.tell(Result(STRAYS, outcome, "", 0, len(seen), 0, tuple(seen[:5])))

    @contextmanager
    def _lab(self, session: Session) -> Iterator[Trial]:
        with Lab(f"lf{secrets.token_hex(3)}") as lab:
            session.prepare(lab)
            yield Trial(session, lab, self.slow)

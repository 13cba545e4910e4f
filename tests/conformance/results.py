"""Results on disk: DIRECTORY/KERNEL/COMMIT/RUNNER.jsonl, a line for each trial, so that a run can be gone on with.

The last line of a technique counts.
"""

import json
import os
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.conformance.runners import RUNNERS
from tests.conformance.trial import Outcome, Result

_ROOT = Path(__file__).parents[2]
_ABOUT = "about.json"
_WORDS = 80  # characters of what a program said that are published


def kernel() -> str:
    return os.uname().release


def commit() -> str:
    """The checked-out commit; with `-dirty` when tracked files differ from it."""
    words = ["git", "-c", f"safe.directory={_ROOT}", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(words, cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()


class Store:
    """The results of one kernel and commit."""

    def __init__(self, directory: Path, kernel: str, commit: str) -> None:
        self.where = directory / kernel / commit
        self.where.mkdir(parents=True, exist_ok=True)
        self._about = {"kernel": kernel, "commit": commit}
        self.describe({"date": datetime.now(UTC).strftime("%Y-%m-%d")})

    def describe(self, facts: dict[str, str]) -> None:
        """Adds to what is known of the run."""
        file = self.where / _ABOUT
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(known | self._about | facts, indent=1))

    def add(self, runner: str, result: Result) -> None:
        with self._file(runner).open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")

    def adopt(self, runner: str, programs: dict[str, str]) -> None:
        """Takes over what got out at other commits by the same programs, told as {technique: digest}."""
        known = self.of(runner)
        for file in sorted(self.where.parent.glob(f"*/{runner}.jsonl"), key=lambda path: path.stat().st_mtime):
            for name, result in _read(file).items():
                same = result.program and result.program == programs.get(name)
                if name not in known and same and result.outcome is Outcome.ESCAPED:
                    self.add(runner, result)

    def of(self, runner: str) -> dict[str, Result]:
        return _read(self._file(runner)) if self._file(runner).exists() else {}

    def _file(self, runner: str) -> Path:
        return self.where / f"{runner}.jsonl"


def _read(file: Path) -> dict[str, Result]:
    """A line that was cut short by a crash is left out: its trial is done again."""
    found: dict[str, Result] = {}
    for line in file.read_text().splitlines():
        try:
            fields = json.loads(line)
        except json.JSONDecodeError:
            continue
        fields |= {"outcome": Outcome(fields["outcome"]), "seen": tuple(fields["seen"])}
        found[fields["technique"]] = Result(**fields)
    return found


def gather(directory: Path) -> dict[str, Any]:
    """What is known of every kernel: {kernel: {kernel, commit, date, runners: {runner: {technique: ...}}}}.

    Landfast's results are those of the newest commit alone. Of the others, which it does not change, older ones stay.
    """
    found: dict[str, Any] = {}
    for about in sorted(directory.glob(f"*/*/{_ABOUT}"), key=lambda path: path.stat().st_mtime):
        facts = json.loads(about.read_text())
        before = found.get(facts["kernel"], {}).get("runners", {})
        runners = {file.stem: _compact(_read(file)) for file in sorted(about.parent.glob("*.jsonl"))}
        found[facts["kernel"]] = facts | {"runners": _united(before, runners)}
    return found


def _united(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    rivals = {name: before.get(name, {}) | now.get(name, {}) for name in before | now if not RUNNERS[name].is_ours}
    return rivals | {name: results for name, results in now.items() if RUNNERS[name].is_ours}


def _compact(results: dict[str, Result]) -> dict[str, Any]:
    """What is worth publishing: no zeros, nothing empty, and one frame as evidence."""
    return {name: _evidence(result) for name, result in sorted(results.items())}


def _evidence(result: Result) -> dict[str, Any]:
    facts = {"status": result.status, "said": result.said[:_WORDS], "frames": result.frames, "apart": result.apart}
    seen = {"seen": result.seen[0]} if result.seen else {}
    return {"outcome": result.outcome, **{key: value for key, value in facts.items() if value}, **seen}

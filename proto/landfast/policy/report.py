"""Findings gathered while a policy file is read, so that all of them are told at once."""

from typing import Protocol

from landfast.policy.errors import Finding, InvalidError, PolicyError, Severity


class Place(Protocol):
    """Something that stands at a line of the file, under a path of keys."""

    @property
    def line(self) -> int: ...

    @property
    def where(self) -> str: ...


class Report:
    """Errors and warnings of one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._findings: list[Finding] = []

    def error(self, place: Place, problem: str, remedy: str) -> None:
        self._findings.append(Finding(self._file, place.line, place.where, problem, remedy))

    def warn(self, place: Place, problem: str, remedy: str) -> None:
        finding = Finding(self._file, place.line, place.where, problem, remedy, Severity.WARNING)
        self._findings.append(finding)

    def refused(self, place: Place, error: InvalidError) -> None:
        self.error(place, error.problem, error.remedy)

    def fatal(self, line: int, problem: str, remedy: str) -> PolicyError:
        """What ends the reading: nothing behind `line` can be judged."""
        self._findings.append(Finding(self._file, line, "", problem, remedy))
        return PolicyError(self._sorted(Severity.ERROR))

    def warnings(self) -> tuple[Finding, ...]:
        """Every warning, by line. Raises `PolicyError` with all errors if there is one."""
        if errors := self._sorted(Severity.ERROR):
            raise PolicyError(errors)
        return self._sorted(Severity.WARNING)

    def _sorted(self, severity: Severity) -> tuple[Finding, ...]:
        chosen = (finding for finding in self._findings if finding.severity == severity)
        return tuple(sorted(chosen, key=lambda finding: finding.line))

"""What can be wrong with a policy.

InvalidError(ValueError)     one value is refused; it knows what and how to mend it, not where it stands
PolicyError             everything that is wrong with one policy, each with its place
"""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


class Finding(Struct, frozen=True):
    """One thing that is wrong, or suspicious, in a policy.

    `line` counts from 1; 0 when the policy is no text. `where` is the path of the value, e.g.
    `data_classes.eea-user-data.allow[3].to`.
    """

    file: str
    line: int
    where: str
    problem: str
    remedy: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{self.where}: " if self.where else ""
        return f"{place}: {subject}{self.problem}; {self.remedy}"


class InvalidError(ValueError):
    """A value is refused: `problem` names it, `remedy` tells what to write instead."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


class PolicyError(Exception):
    """A policy is refused. The text lists every finding, one a line."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, self.findings)))


def refuse(file: str, where: str, problem: str, remedy: str) -> PolicyError:
    """The error of a single finding that has no line."""
    return PolicyError([Finding(file, 0, where, problem, remedy)])

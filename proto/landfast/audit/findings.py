"""What is wrong with a log, and where."""

from dataclasses import asdict, dataclass, field
from typing import Any

#: Findings that are kept of each verdict. A log that is damaged throughout has as many as entries.
LIMIT = 1000


@dataclass(frozen=True)
class Finding:
    """`kind` is for programs, `text` for people. The rest is the place, as far as there is one."""

    kind: str
    text: str
    path: str = ""
    index: int | None = None
    host: str = ""
    sequence: int | None = None

    def document(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}


@dataclass
class Verdict:
    """Findings against one promise; without any it is kept."""

    findings: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, finding: Finding) -> None:
        """Counts every finding, keeps the first ones."""
        self.count += 1
        if len(self.findings) < LIMIT:
            self.findings.append(finding)

    @property
    def holds(self) -> bool:
        return self.count == 0

    def document(self) -> dict[str, Any]:
        return {"holds": self.holds, "count": self.count, "findings": [each.document() for each in self.findings]}

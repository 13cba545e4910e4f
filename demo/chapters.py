"""What the auditor must have seen of the story, in this order."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.testbed import OUTSIDE

Entry = dict[str, Any]
Chapter = tuple[str, Callable[[Entry], bool]]


def _action(kind: str, actor: str = "") -> Callable[[Entry], bool]:
    return lambda entry: entry.get("action") == kind and entry["actor"].endswith(actor)


def _outside(verdict: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.get("verdict") == verdict and entry["remote"] == str(OUTSIDE.ip4)


by_operator = _action("POLICY_VERSION", "/olga")

CHAPTERS: Sequence[Chapter] = (
    ("the first policy", _action("POLICY_VERSION")),
    ("the host's enrolment", _action("HOST_ENROLLED")),
    ("refusals outside", _outside("DENY")),
    ("olga's rule", by_operator),
    ("what it allowed", _outside("ALLOW")),
    ("its removal by olga", by_operator),
    ("refusals while the agent was dead", _outside("DENY")),
)


def missing(entries: Sequence[Entry]) -> str | None:
    """The first chapter that is not told after those before it, None when all are."""
    rest = iter(entries)
    return next((title for title, told in CHAPTERS if not any(map(told, rest))), None)


def gap(entries: Sequence[Entry]) -> str | None:
    """Where the host's sequence numbers do not count 1, 2, 3 and so on; None when they do."""
    numbers = [int(entry["id"].rpartition("/")[2]) for entry in entries if entry["kind"] != "control"]
    for expected, number in enumerate(numbers, 1):
        if number != expected:
            return f"event {number} comes where {expected} was due"
    return None

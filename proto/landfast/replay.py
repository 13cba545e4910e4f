"""Replay: what another policy would have said to the flows that the log holds."""

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from landfast.flows import Sighting
from landfast.policy.evaluate import Decision, Question
from landfast.policy.lookup import TableSlot, decide
from landfast.policy.model import MAX_CLASSES, Policy
from landfast.policy.numbering import RuleKind
from landfast.policy.tables import Tables
from landfast.verdict import Reason, Verdict

#: Answers that are remembered, about 1 KB each: most questions are asked again and again.
_REMEMBERED = 1 << 15

#: Stands for every class that a policy does not hold: a bit that none has.
_UNHELD = 1 << MAX_CLASSES

_NAMELESS = "?"  # a unix socket whose name the record does not tell: no rule can say this


class Change(StrEnum):
    """What a candidate changes for a flow, compared with the verdict that was recorded."""

    NONE = "unchanged"
    DENIED = "newly_denied"  # it passed, and would be refused
    ALLOWED = "newly_allowed"  # it was refused, or would have been but for audit mode, and would be allowed
    RECORDED = "newly_would_deny"  # it was allowed, and would pass only since a class is in audit mode


class Judgement(NamedTuple):
    """The candidate's answer. Not `certain`: it depends on whether the local receiver carries every class."""

    change: Change
    verdict: Verdict
    reason: Reason
    certain: bool


class Replay:
    """Asks a candidate, as of `now` (seconds since 1970), what was decided by other policies. Classes meet by name."""

    def __init__(self, candidate: Policy, tables: Tables, now: float) -> None:
        self._masks = {each.name: each.mask for each in candidate.classes}
        self._now = now
        self._slot = TableSlot(tables)
        self._answer = lru_cache(_REMEMBERED)(self._decide)

    def at(self, now: float) -> None:
        """Asks as of another time from now on."""
        self._now = now

    def judge(self, seen: Sighting) -> Judgement:
        """Where the record leaves the answer open: the one that would change something."""
        answers = [self._answer(self.question(seen, carries)) for carries in seen.peer.value]
        changed = [answer for answer in answers if answer.verdict != seen.verdict]
        found = (changed or answers)[0]
        certain = all(answer.verdict == found.verdict for answer in answers)
        return Judgement(change(seen.verdict, found.verdict), found.verdict, found.reason, certain)

    def question(self, seen: Sighting, carries: bool) -> Question:
        """What was asked; `carries`: the receiver has every class of the sender."""
        flow, tags = seen.flow, self._tags(seen.flow.classes)
        serving = flow.kind == RuleKind.SERVE
        return Question(
            tags,
            flow.remote.packed if flow.remote else "",
            flow.protocol,
            seen.remote_port,
            flow.port if serving else 0,
            serving,
            seen.local,
            tags if carries else None,
            self._now,
            "" if flow.remote else flow.unix_name or _NAMELESS,
        )

    def _tags(self, classes: tuple[str, ...]) -> int:
        tags = 0
        for name in classes:
            tags |= self._masks.get(name, _UNHELD)
        return tags

    def _decide(self, question: Question) -> Decision:
        return decide(self._slot, question)


def change(before: Verdict, after: Verdict) -> Change:
    """What it means that `before` was recorded, and `after` is what would be said."""
    if before == after:
        return Change.NONE
    if after == Verdict.DENY:
        return Change.DENIED
    return Change.RECORDED if before == Verdict.ALLOW else Change.ALLOWED

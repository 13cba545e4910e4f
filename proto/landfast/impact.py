"""What a candidate policy would change for what was seen: decisions counted, and the flows behind them."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from landfast.flows import MOST, Flow, Fold, Sighting, Summary
from landfast.replay import Change, Judgement, Replay


class Changed(NamedTuple):
    flow: Flow
    judgement: Judgement


class Impact:
    """Decisions by what changes, and the flows that something changes for, at most `most` of them."""

    def __init__(self, most: int = MOST) -> None:
        self.decisions: Counter[Change] = Counter()
        self.changed: Fold[Changed] = Fold(most)

    def of(self, seen: Iterable[Sighting], candidate: Replay) -> "Impact":
        """Takes in what was seen."""
        for each in seen:
            judgement = candidate.judge(each)
            self.decisions[judgement.change] += 1
            if judgement.change != Change.NONE:
                self.changed.add(Changed(each.flow, judgement), each)
        return self

    @property
    def denies(self) -> bool:
        """Whether anything that passed would be refused."""
        return bool(self.decisions[Change.DENIED])

    def flows(self, wanted: Change) -> list[tuple[Changed, Summary]]:
        """Flows with this change, the most frequent first."""
        found = [each for each in self.changed.summaries.items() if each[0].judgement.change == wanted]
        return sorted(found, key=lambda each: (-each[1].count, each[0].flow.classes, str(each[0].flow.remote)))

"""Which events of a batch are shown: the controller sends whole batches, in which some event matches."""

from collections.abc import Iterator
from dataclasses import dataclass

from landfast.batch import BatchView
from landfast.event import Event
from landfast.v1.batch_pb2 import Notice
from landfast.verdict import Verdict

VERDICTS = {
    "denied": frozenset((Verdict.DENY, Verdict.WOULD_DENY)),
    "allowed": frozenset((Verdict.ALLOW,)),
}


@dataclass(frozen=True)
class Filter:
    """Classes and a key of VERDICTS. With either, only decisions are shown: no notices, no control actions.

    What canaries were refused is shown only if `canary`.
    """

    classes: frozenset[str]
    verdict: str | None
    canary: bool = False

    @property
    def everything(self) -> bool:
        return not self.classes and self.verdict is None

    def of(self, view: BatchView) -> Iterator[tuple[int, Event | Notice]]:
        """What is shown of a batch, with sequence numbers."""
        mask = sum(1 << bit for bit, name in view.message.classes.items() if bit < 64 and name in self.classes)
        for sequence, item in view:
            if view.is_canary(item) and not self.canary:
                continue
            if self.everything or (isinstance(item, Event) and self._matches(item, mask)):
                yield sequence, item

    def _matches(self, item: Event, mask: int) -> bool:
        of_class = not self.classes or bool(item.tags & mask)
        return of_class and (self.verdict is None or item.verdict in VERDICTS[self.verdict])

"""What a subscriber wants to see. A batch comes whole, when one event in it matches everything that was asked."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from landfast import batch, event
from landfast.batch import BatchView
from landfast.v1.audit_pb2 import SubscribeRequest
from landfast.verdict import Verdict

_VERDICTS: dict[int, tuple[int, ...]] = {
    SubscribeRequest.VERDICTS_DENIED: (Verdict.DENY, Verdict.WOULD_DENY),
    SubscribeRequest.VERDICTS_ALLOWED: (Verdict.ALLOW,),
}


@dataclass(frozen=True)
class Filter:
    """Classes and verdicts; hosts are filtered by the database."""

    classes: frozenset[str]
    verdicts: int

    @property
    def everything(self) -> bool:
        return not self.classes and not self.verdicts

    def matches(self, content: bytes) -> bool:
        """Whether a batch holds such an event, or may have held one that is only a count now.

        One with notices alone matches only when everything is wanted.
        """
        if self.everything:
            return True
        view = batch.decode(content)
        if view.message.HasField("folded"):
            return True
        records = np.frombuffer(view.message.records, dtype=event.numpy_type())
        return bool(np.any(self._of_class(view, records) & self._of_verdict(records)))

    def _of_class(self, view: BatchView, records: Any) -> Any:
        if not self.classes:
            return np.True_
        mask = sum(1 << bit for bit, name in view.message.classes.items() if bit < 64 and name in self.classes)
        return (records["tags"] & np.uint64(mask)) != 0

    def _of_verdict(self, records: Any) -> Any:
        if not self.verdicts:
            return np.True_
        return np.isin(records["verdict"], _VERDICTS[self.verdicts])

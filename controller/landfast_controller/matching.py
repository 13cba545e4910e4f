"""What a subscriber wants to see. A batch comes whole, when one event in it matches everything that was asked."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from landfast import batch, event
from landfast.batch import BatchView
from landfast.policy import errors
from landfast.policy.addresses import ALL_IPV4, BITS, Prefix, parse_prefix
from landfast.v1.audit_pb2 import SubscribeRequest
from landfast.verdict import Stage, Verdict
from landfast_controller.errors import InvalidError

#: Destinations and processes that one request may name: each is compared with every event.
MAX_NAMES = 100

_VERDICTS: dict[int, tuple[int, ...]] = {
    SubscribeRequest.VERDICTS_DENIED: (Verdict.DENY, Verdict.WOULD_DENY),
    SubscribeRequest.VERDICTS_ALLOWED: (Verdict.ALLOW,),
}
_HALF = BITS // 2


@dataclass(frozen=True)
class Filter:
    """Classes, verdicts, destinations and processes, each empty for all; hosts are filtered by the database."""

    classes: frozenset[str] = frozenset()
    verdicts: int = 0
    destinations: tuple[Prefix, ...] = ()
    processes: frozenset[bytes] = frozenset()

    @property
    def everything(self) -> bool:
        return self == Filter()

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
        chosen = self._of_class(view, records) & self._of_verdict(records)
        return bool(np.any(chosen & self._of_process(view, records) & self._to_destination(records)))

    def _of_class(self, view: BatchView, records: Any) -> Any:
        if not self.classes:
            return np.True_
        mask = sum(1 << bit for bit, name in view.message.classes.items() if bit < 64 and name in self.classes)
        return (records["tags"] & np.uint64(mask)) != 0

    def _of_verdict(self, records: Any) -> Any:
        if not self.verdicts:
            return np.True_
        return np.isin(records["verdict"], _VERDICTS[self.verdicts])

    def _of_process(self, view: BatchView, records: Any) -> Any:
        """By the name in the record; where it has none, of any execution of its process."""
        if not self.processes:
            return np.True_
        named = [each.tgid for each in view.message.processes if event.comm(each.comm) in self.processes]
        nameless = (records["stage"] == Stage.FLOW) | (records["comm"] == b"")
        return np.where(nameless, np.isin(records["tgid"], named), np.isin(records["comm"], sorted(self.processes)))

    def _to_destination(self, records: Any) -> Any:
        if not self.destinations:
            return np.True_
        halves = np.frombuffer(records["remote"].tobytes(), dtype=">u8").reshape(-1, 2)
        ipv4 = _covered(ALL_IPV4, halves)
        to = [_covered(prefix, halves) & (ipv4 == prefix.is_ipv4) for prefix in self.destinations]
        return np.any(to, axis=0) & event.have_destination(records)


def requested(request: SubscribeRequest) -> Filter:
    """Raises InvalidError for what is no prefix, and for too many."""
    for names in (request.destinations, request.processes):
        if len(names) > MAX_NAMES:
            raise InvalidError(f"{len(names)} destinations or processes in one request, at most {MAX_NAMES}: ask twice")
    return Filter(
        frozenset(request.classes),
        request.verdicts,
        tuple(map(_prefix, request.destinations)),
        frozenset(map(event.comm, request.processes)),
    )


def _prefix(text: str) -> Prefix:
    try:
        return parse_prefix(text)
    except errors.InvalidError as error:
        raise InvalidError(f"destination {error}") from None


def _covered(prefix: Prefix, halves: Any) -> Any:
    """Which addresses, each as two numbers of 64 bits, begin as the prefix does."""
    mask = ((1 << prefix.length) - 1) << (BITS - prefix.length)
    return np.all((halves & _halves(mask)) == _halves(prefix.address), axis=1)


def _halves(number: int) -> Any:
    return np.array([number >> _HALF, number & ((1 << _HALF) - 1)], dtype=np.uint64)

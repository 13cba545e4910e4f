"""Which events of a batch are shown: the controller sends whole batches, in which some event matches."""

from collections.abc import Iterator
from dataclasses import dataclass

from landfast import event
from landfast.batch import BatchView
from landfast.event import Event
from landfast.policy import errors
from landfast.policy.addresses import Prefix, address_number, parse_prefix
from landfast.v1.batch_pb2 import Notice
from landfast.verdict import Verdict
from landfast_cli.errors import BadInputError

VERDICTS = {
    "denied": frozenset((Verdict.DENY, Verdict.WOULD_DENY)),
    "allowed": frozenset((Verdict.ALLOW,)),
}


@dataclass(frozen=True)
class Filter:
    """Classes, a key of VERDICTS, destinations, commands; empty for all. With any, no notices, no control actions.

    What canaries were refused is shown only if `canary`, that there was nothing to record only if `heartbeats`.
    """

    classes: frozenset[str] = frozenset()
    verdict: str | None = None
    destinations: tuple[Prefix, ...] = ()
    processes: frozenset[bytes] = frozenset()
    canary: bool = False
    heartbeats: bool = False

    @property
    def everything(self) -> bool:
        return not (self.classes or self.verdict or self.destinations or self.processes)

    def of(self, view: BatchView) -> Iterator[tuple[int, Event | Notice]]:
        """What is shown of a batch, with sequence numbers."""
        mask = sum(1 << bit for bit, name in view.message.classes.items() if bit < 64 and name in self.classes)
        for sequence, item in view:
            if (view.is_canary(item) and not self.canary) or (view.is_heartbeat(item) and not self.heartbeats):
                continue
            if self.everything or (isinstance(item, Event) and self._matches(view, item, mask)):
                yield sequence, item

    def _matches(self, view: BatchView, item: Event, mask: int) -> bool:
        of_class = not self.classes or bool(item.tags & mask)
        of_verdict = self.verdict is None or item.verdict in VERDICTS[self.verdict]
        return of_class and of_verdict and self._of_process(view, item) and self._to_destination(item)

    def _of_process(self, view: BatchView, item: Event) -> bool:
        return not self.processes or event.comm(view.command(item)) in self.processes

    def _to_destination(self, item: Event) -> bool:
        if not self.destinations:
            return True
        return item.remote is not None and any(
            prefix.covers(address_number(item.remote)) for prefix in self.destinations
        )


def parse_destination(text: str) -> Prefix:
    """Raises BadInputError unless `text` is a prefix or an address."""
    try:
        return parse_prefix(text)
    except errors.InvalidError as error:
        raise BadInputError(f"--destination {error}") from None

"""What one host has in the log: a chain of batches without a gap, beginning at an enrolment."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from landfast import batch
from landfast.audit.account import Account
from landfast.audit.findings import Finding
from landfast.batch import BatchView
from landfast.v1.batch_pb2 import NoticeKind


@dataclass
class Host:
    """How far a host has got. `enrolled` is the index of an enrolment after which no batch has come yet."""

    name: str
    enrolled: int | None = None
    banned: bool = False
    first: int = 0
    last: int = 0
    digest: bytes = b""
    batches: int = 0
    events: int = 0
    received_ns: int = 0
    account: Account = field(default_factory=Account)

    def altered(self, view: BatchView) -> Iterator[Finding]:
        """What is wrong with the place of `view` in the chain: against integrity."""
        if not self.batches and self.enrolled is None:
            yield self._finding("not-enrolled", view, "a batch of a host that is not enrolled here")
        elif view.first <= self.last and not self._anew(view):
            yield self._finding("repeated", view, f"sequence {view.first} again, after {self.last}")
        elif view.first == self.last + 1 and view.previous != self.digest and not self._anew(view):
            yield self._finding(
                "chain", view, f"the batch does not name the hash of the one before it, {self.digest.hex()}"
            )

    def missing(self, view: BatchView) -> Iterator[Finding]:
        """What is missing before `view` or in it: against completeness."""
        if self.batches and self._anew(view):
            text = f"begins anew after an enrolment: what it recorded after sequence {self.last} is not here"
            yield self._finding("begun-anew", view, text)
        elif self.batches and view.first > self.last + 1:
            yield self._finding("gap", view, f"sequence {self.last + 1} to {view.first - 1} are missing")
        if self._anew(view):
            self.account.begin_anew()
        for text in self.account.take(view.message):
            yield self._finding("counters", view, text)
        yield from self._told(view)

    def advance(self, view: BatchView, digest: bytes, received_ns: int) -> None:
        """Takes `view` as the newest batch, whatever is wrong with it."""
        self.first = self.first or view.first
        self.last, self.digest = view.last, digest
        self.batches, self.events = self.batches + 1, self.events + batch.size(view.message)
        self.received_ns, self.enrolled = received_ns, None

    def _anew(self, view: BatchView) -> bool:
        """Whether a new chain may begin here, and does."""
        return self.enrolled is not None and (view.first, view.previous) != (self.last + 1, self.digest)

    def _told(self, view: BatchView) -> Iterator[Finding]:
        """What the host itself says that it does not know."""
        for notice in view.message.notices:
            if notice.kind == NoticeKind.NOTICE_KIND_LOST:
                yield self._finding("lost", view, notice.text)
            if notice.kind == NoticeKind.NOTICE_KIND_GAP and notice.fields.get("same_ring") == "false":
                yield self._finding("unclean-stop", view, notice.text)

    def _finding(self, kind: str, view: BatchView, text: str) -> Finding:
        return Finding(kind, text, host=self.name, sequence=view.first)

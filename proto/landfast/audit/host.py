"""What one host has in the log: a chain of batches without a gap, beginning at an enrolment, each signed by it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from landfast import batch, event_key
from landfast.audit.account import Account
from landfast.audit.findings import Finding
from landfast.audit.versions import InForce, Versions
from landfast.batch import BatchView, Sealed
from landfast.v1.batch_pb2 import NoticeKind


@dataclass
class Host:
    """How far a host has got. `enrolled` is the index of an enrolment after which no batch has come yet.

    `own_keys` are event keys that the auditor has from elsewhere; `logged_key` is the one that the log's newest
    enrolment tells, `rekeyed` the index of the newest that told another one than before.
    """

    name: str
    own_keys: frozenset[bytes] = frozenset()
    logged_key: bytes = b""
    rekeyed: int | None = None
    enrolled: int | None = None
    banned: bool = False
    first: int = 0
    last: int = 0
    digest: bytes = b""
    batches: int = 0
    events: int = 0
    received_ns: int = 0
    account: Account = field(default_factory=Account)
    in_force: InForce = field(default_factory=InForce)

    @property
    def keys(self) -> frozenset[bytes]:
        """By which its batches must be signed: the auditor's own; without any the log's word counts."""
        return self.own_keys or frozenset({self.logged_key} - {b""})

    def enrol(self, index: int, told: str) -> Iterator[Finding]:
        """Takes an enrolment, by which the log says that `told` is the host's event key: against integrity."""
        key = _parsed(told)
        if self.logged_key and key != self.logged_key:
            self.rekeyed = index
        self.enrolled, self.logged_key = index, key
        self.in_force.begin_anew()
        if not key:
            yield Finding("unknown-key", "enrolled without an event key: nothing proves its batches", host=self.name)
        elif self.own_keys and key not in self.own_keys:
            text = f"enrolled with the event key {told}, which is not in the roster: is it another host?"
            yield Finding("unknown-key", text, host=self.name)

    def forged(self, view: BatchView, sealed: Sealed) -> Iterator[Finding]:
        """Whether it is the host that says so: against integrity. Who was never enrolled has no key to ask."""
        if self.keys and not any(map(sealed.is_signed_by, self.keys)):
            names = " or ".join(map(event_key.text, sorted(self.keys)))
            yield self._finding("signature", view, f"the batch is not signed by the host's event key, {names}")

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

    def missing(self, view: BatchView, versions: Versions) -> Iterator[Finding]:
        """What is missing before `view` or in it, or in what the log says of policies: against completeness."""
        if self.batches and self._anew(view):
            text = f"begins anew after an enrolment: what it recorded after sequence {self.last} is not here"
            yield self._finding("begun-anew", view, text)
        elif self.batches and view.first > self.last + 1:
            yield self._finding("gap", view, _missing(self.last + 1, view.first - 1))
        if self._anew(view):
            self.account.begin_anew()
        for text in self.account.take(view.message):
            yield self._finding("counters", view, text)
        for text in self.in_force.take(view.message, versions):
            yield self._finding("policy", view, text)
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


def _missing(first: int, last: int) -> str:
    return f"sequence {first} is missing" if first == last else f"sequence {first} to {last} are missing"


def _parsed(told: str) -> bytes:
    try:
        return event_key.parse(told)
    except event_key.EventKeyError:
        return b""

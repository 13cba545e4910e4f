"""What one host has in the log: a chain of batches without a gap, beginning at an enrolment, each signed by it.

At an enrolment the host says where its chain begins, signed by it too: so nothing is left out before that either.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from landfast import batch, event_key
from landfast.audit.account import Account
from landfast.audit.findings import Finding
from landfast.audit.versions import InForce, Versions
from landfast.batch import BatchView, Sealed
from landfast.beginning import Beginning, Statement
from landfast.v1.batch_pb2 import NoticeKind


@dataclass
class Host:
    """How far a host has got. `enrolled` is the index of an enrolment after which no batch has come yet.

    `own_keys` are event keys that the auditor has from elsewhere; `logged_key` is the one that the log's newest
    enrolment tells, `rekeyed` the index of the newest that told another one than before. `stated` is where the host
    says in an enrolment that it begins, as long as no batch has come; `mute` is the index of one that does not tell it,
    and `unstated` that of the newest such one behind which a chain begins in the middle. `said` are the numbers with
    which it begins by the enrolments that are here, 0 for one that does not tell it; `promised` is a lower one that its
    batches tell: it was enrolled before, and what it recorded from there on was some controller's.
    """

    name: str
    own_keys: frozenset[bytes] = frozenset()
    logged_key: bytes = b""
    rekeyed: int | None = None
    enrolled: int | None = None
    stated: Beginning | None = None
    mute: int | None = None
    unstated: int | None = None
    said: set[int] = field(default_factory=set)
    promised: int | None = None
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

    def enrol(self, index: int, told: str, statement: Statement | None) -> Iterator[Finding]:
        """Takes an enrolment, by which the log says that `told` is the host's event key: against integrity.

        `statement` is what the host is said to have said of where it begins.
        """
        key = _parsed(told)
        if self.logged_key and key != self.logged_key:
            self.rekeyed = index
        self.enrolled, self.logged_key = index, key
        self.in_force.begin_anew()
        self.stated, self.mute = (statement.beginning, None) if statement else (None, index)
        self.said.add(self.stated.first if self.stated else 0)
        if not key:
            yield Finding("unknown-key", "enrolled without an event key: nothing proves its batches", host=self.name)
        elif self.own_keys and key not in self.own_keys:
            text = f"enrolled with the event key {told}, which is not in the roster: is it another host?"
            yield Finding("unknown-key", text, host=self.name)
        keys = self.keys & {key} or self.keys
        if statement and keys and not any(statement.is_signed_by(each, self.name) for each in keys):
            text = f"where the host begins, {statement.beginning}, is not signed by its event key, {_names(keys)}"
            yield Finding("signature", text, host=self.name)

    def forsaken(self, statement: Statement | None) -> Iterator[Finding]:
        """What is missing by an enrolment when no batch has come since the one before it: against completeness."""
        if self.stated is None or statement is None or statement.beginning == self.stated:
            return
        owed, begins = max(self.stated.first, self.last + 1), statement.beginning
        said = f"by the enrolment before, the host would begin at {self.stated}"
        if begins.first > owed:
            text = f"sequence {owed} to {begins.first - 1} are missing: {said}"
            yield Finding("gap", text, host=self.name, sequence=begins.first)
        elif begins.first <= self.stated.first and not self.batches:
            text = f"begins anew, at {begins}: {said}, and what it recorded there is not here"
            yield Finding("begun-anew", text, host=self.name, sequence=begins.first)

    def forged(self, view: BatchView, sealed: Sealed) -> Iterator[Finding]:
        """Whether it is the host that says so: against integrity. Who was never enrolled has no key to ask."""
        if self.keys and not any(map(sealed.is_signed_by, self.keys)):
            text = f"the batch is not signed by the host's event key, {_names(self.keys)}"
            yield self._finding("signature", view, text)

    def altered(self, view: BatchView) -> Iterator[Finding]:
        """What is wrong with the place of `view` in the chain: against integrity."""
        begins = Beginning.of(view)
        if self.said and view.message.begins > max(self.said):
            text = (
                f"the host has said that it begins at sequence {view.message.begins}, and no enrolment here tells that"
            )
            yield self._finding("concealed", view, text)
        if not self.batches and self.enrolled is None:
            yield self._finding("not-enrolled", view, "a batch of a host that is not enrolled here")
        elif view.first <= self.last and not self._anew(view):
            yield self._finding("repeated", view, f"sequence {view.first} again, after {self.last}")
        elif view.first == self.last + 1 and view.previous != self.digest and not self._anew(view):
            yield self._finding(
                "chain", view, f"the batch does not name the hash of the one before it, {self.digest.hex()}"
            )
        elif self._anew(view) and self.stated and view.first <= self.stated.first and begins != self.stated:
            yield self._finding("chain", view, f"begins at {begins}, {self._said}")

    def missing(self, view: BatchView, versions: Versions) -> Iterator[Finding]:
        """What is missing before `view` or in it, or in what the log says of policies: against completeness."""
        if self.batches and self._anew(view):
            text = f"begins anew after an enrolment: what it recorded after sequence {self.last} is not here"
            yield self._finding("begun-anew", view, text)
        elif self.batches and view.first > self.last + 1:
            yield self._finding("gap", view, _missing(self.last + 1, view.first - 1))
        if self._anew(view) and self.stated and view.first > self.stated.first:
            yield self._finding("gap", view, f"{_missing(self.stated.first, view.first - 1)}, {self._said}")
        if self._anew(view):
            self.account.begin_anew()
        for text in self.account.take(view.message):
            yield self._finding("counters", view, text)
        for text in self.in_force.take(view.message, versions):
            yield self._finding("policy", view, text)
        yield from self._told(view)

    def advance(self, view: BatchView, digest: bytes, received_ns: int) -> None:
        """Takes `view` as the newest batch, whatever is wrong with it."""
        if self._anew(view) and self.mute is not None and Beginning.of(view) != Beginning():
            self.unstated = self.mute
        self._compare(view.message.begins)
        self.first = self.first or view.first
        self.last, self.digest = view.last, digest
        self.batches, self.events = self.batches + 1, self.events + batch.size(view.message)
        self.received_ns, self.enrolled, self.stated, self.mute = received_ns, None, None, None

    def _compare(self, begins: int) -> None:
        """What a batch tells of where its host begins, with what the enrolments do. Each difference is told once."""
        stated = self.said - {0}
        if stated and 0 < begins < min(stated):
            self.promised = min(begins, self.promised or begins)
        elif self.said and begins > max(self.said):
            self.said.add(begins)

    def _anew(self, view: BatchView) -> bool:
        """Whether a new chain may begin here, and does."""
        goes_on = bool(self.batches) and (view.first, view.previous) == (self.last + 1, self.digest)
        return self.enrolled is not None and not goes_on

    @property
    def _said(self) -> str:
        return f"and the host said when it enrolled that it would begin at {self.stated}"

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


def _names(keys: frozenset[bytes]) -> str:
    return " or ".join(map(event_key.text, sorted(keys)))


def _parsed(told: str) -> bytes:
    try:
        return event_key.parse(told)
    except event_key.EventKeyError:
        return b""

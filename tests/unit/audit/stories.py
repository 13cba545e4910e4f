"""Logs with hosts in them, as a controller would have stored them."""

from collections.abc import Mapping, Sequence
from typing import Any

from landfast import event_key
from landfast.audit.integrity import Integrity
from landfast.audit.review import Expected, Review
from landfast.beginning import Beginning, Statement
from landfast.tlog.bundle import Entry, Kind
from landfast.tlog.checkpoint import Checkpoint
from landfast.v1.audit_pb2 import ControlAction
from tests.e2e.controller.batches import Chain
from tests.testbed.event_keys import public, signer
from tests.unit.tlog import naive

Roster = Mapping[str, frozenset[bytes]]

START_NS, STEP_NS = 1_790_000_000 * 10**9, 10**9


class Story:
    """Entries, one a second from `now_ns` on."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.entries: list[bytes] = []
        self.now_ns = now_ns

    def later(self, days: float) -> "Story":
        self.now_ns += int(days * 24 * 3600 * 10**9)
        return self

    def batch(self, data: bytes) -> "Story":
        return self._add(Kind.BATCH, data)

    def control(self, kind: ControlAction.Kind.ValueType, subject: str, **more: Any) -> "Story":
        action = ControlAction(kind=kind, subject=subject, **more)
        action.time.FromNanoseconds(self.now_ns)
        return self._add(Kind.CONTROL, action.SerializeToString())

    def enrol(self, host: str, key: str = "", stated: Beginning | None = None, **more: str) -> "Story":
        """With its event key, or another one, and what the host says of where it begins."""
        fields = {"event_key": key or event_key.text(public(host)), **more}
        fields |= statement(host, stated).fields if stated else {}
        return self.control(ControlAction.KIND_HOST_ENROLLED, host, fields=fields)

    def _add(self, kind: Kind, content: bytes) -> "Story":
        self.entries.append(Entry(kind, self.now_ns, content).encode())
        self.now_ns += STEP_NS
        return self


def statement(host: str, begins: Beginning, by: str = "") -> Statement:
    """Signed by the host, or by another one."""
    return Statement.sign(signer(by or host), host, b"its certificate request", begins)


def ordinary(batches: int, hosts: Sequence[str] = ("hall-1", "hall-2", "hall-3")) -> Story:
    """Hosts that report in turn."""
    story, chains = Story(), [Chain(host) for host in hosts]
    for host, chain in zip(hosts, chains, strict=True):
        story.enrol(host, stated=Beginning(chain.next))
        chain.begins = chain.next
    for number in range(batches):
        story.batch(chains[number % len(hosts)].batch(events=2))
    return story


def roster(*hosts: str) -> Roster:
    """Of who has the event keys of all of them."""
    return {host: frozenset({public(host)}) for host in hosts}


def verified(files: dict[str, bytes], hosts: Roster | None = None, silent_after_s: int = 60) -> Review:
    """Both verdicts on a log whose checkpoint is sound."""
    integrity = Integrity(Checkpoint.open(files["checkpoint"], naive.SIGNER.verifier), naive.reader(files))
    review = Review(integrity.verdict, Expected(hosts, silent_after_s), integrity.begin)
    for index, entry in integrity.entries():
        review.take(index, entry)
    review.end()
    return review


def told(entries: Sequence[bytes], hosts: Roster | None = None) -> tuple[list[str], list[str]]:
    """Kinds of the findings of both verdicts, on a log that its own key has signed."""
    review = verified(naive.published(entries), hosts)
    integrity, completeness = review.integrity.findings, review.completeness.findings
    return [each.kind for each in integrity], [each.kind for each in completeness]

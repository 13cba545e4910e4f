"""Whoever holds the log's key can sign anything: what then still tells on them."""

import pytest

from landfast import batch, event, event_key
from landfast.tlog.bundle import Entry, Kind
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import Batch, Folded, Notice, NoticeKind
from landfast.verdict import Stage
from tests.e2e.controller.batches import Chain
from tests.testbed.event_keys import public, signer
from tests.unit.audit.stories import Story, ordinary, roster, told, verified
from tests.unit.tlog import naive

_BOOT_IDS = ("5a1b7c9e-0f43-4a57-9d0e-3f1f6f3b2a11", "6b1b7c9e-0f43-4a57-9d0e-3f1f6f3b2a22")


def test_an_ordinary_log_has_no_findings() -> None:
    story = ordinary(700)
    review = verified(naive.published(story.entries), roster("hall-1", "hall-2", "hall-3"))
    assert (review.integrity.findings, review.completeness.findings) == ([], [])
    assert review.events == 1400
    assert {host.batches for host in review.hosts.values()} == {233, 234}


def test_a_batch_that_is_left_out_is_a_gap() -> None:
    entries = ordinary(30).entries
    review = verified(naive.published(entries[:12] + entries[13:]))
    gap, counters = review.completeness.findings
    assert (counters.kind, counters.index) == ("counters", 14)
    assert (gap.kind, gap.index, gap.host, gap.sequence) == ("gap", 14, "hall-1", 9)
    assert gap.text == "sequence 7 to 8 are missing"


def test_a_host_that_is_left_out_is_missed_by_the_roster() -> None:
    entries = [entry for entry in ordinary(30).entries if b"hall-2" not in entry]
    assert told(entries) == ([], [])
    assert told(entries, roster("hall-1", "hall-2")) == ([], ["never-reported"])


def test_the_end_of_a_host_that_is_left_out_is_silence() -> None:
    entries = ordinary(300).entries
    silent = [entry for at, entry in enumerate(entries) if b"hall-2" not in entry or at < 200]
    review = verified(naive.published(silent))
    (finding,) = review.completeness.findings
    assert (finding.kind, finding.host) == ("silent", "hall-2")


def test_enrolled_and_never_reported() -> None:
    assert told(ordinary(3).enrol("hall-9").entries) == ([], ["never-reported"])


@pytest.mark.parametrize(("again", "kind"), [(4, "repeated"), (7, "repeated")])
def test_a_replayed_batch(again: int, kind: str) -> None:
    entries = ordinary(30).entries
    integrity, _ = told([*entries[:20], entries[again], *entries[20:]])
    assert kind in integrity


def test_another_batch_under_the_same_numbers() -> None:
    story, chain, other = Story().enrol("hall-1"), Chain("hall-1"), Chain("hall-1")
    story.batch(chain.batch()).batch(other.batch(events=7))
    assert told(story.entries)[0] == ["repeated"]


def test_a_batch_that_does_not_follow_by_hash() -> None:
    story, chain = Story().enrol("hall-1"), Chain("hall-1")
    story.batch(chain.batch())
    chain.previous = bytes(32)
    assert told(story.batch(chain.batch()).entries) == (["chain"], [])


def test_swapped_entries_of_a_host() -> None:
    entries = ordinary(30).entries
    entries[9], entries[12] = entries[12], entries[9]
    integrity, completeness = told(entries)
    assert {"time", "repeated"} <= set(integrity)
    assert "gap" in completeness


def test_a_host_that_nobody_enrolled() -> None:
    story, chain = Story(), Chain("stranger")
    assert told(story.batch(chain.batch()).batch(chain.batch()).entries) == (["not-enrolled"], [])


def test_a_chain_may_begin_anew_after_an_enrolment_and_that_is_told() -> None:
    story = Story().enrol("hall-1").batch(Chain("hall-1", first=100, previous=bytes(32)).batch())
    assert told(story.entries) == ([], [])
    story.enrol("hall-1").batch(Chain("hall-1").batch())
    assert told(story.entries) == ([], ["begun-anew"])


def test_a_host_that_is_enrolled_again_may_go_on() -> None:
    story, chain = Story().enrol("hall-1"), Chain("hall-1")
    story.batch(chain.batch()).enrol("hall-1").batch(chain.batch())
    assert told(story.entries) == ([], [])


def test_a_banned_host_is_silent_for_a_reason() -> None:
    story = ordinary(30).control(ControlAction.KIND_HOST_BANNED, "hall-2")
    chain = Chain("hall-4")
    story.enrol("hall-4")
    for _ in range(100):
        story.batch(chain.batch())
    findings = verified(naive.published(story.entries)).completeness.findings
    assert [each.text.endswith(", and banned") for each in findings] == [False, True, False]


@pytest.mark.parametrize(
    "entry", [b"", b"\x03" + bytes(9), Entry(Kind.BATCH, 1, b"\xff").encode(), Entry(Kind.CONTROL, 1, b"\xff").encode()]
)
def test_what_no_controller_admits(entry: bytes) -> None:
    assert "malformed" in told([entry])[0]


def _liar(chain: Chain) -> Chain:
    """What a controller makes up in a host's name, signed by a key of its own."""
    chain.key = signer("liar")
    return chain


_LIARS = event_key.text(public("liar"))


def test_batches_that_a_controller_invents_from_the_beginning() -> None:
    """They fit together as those of a host do: what tells is the key, when the auditor has it from the host."""
    for enrolled, unknown in (("", []), (_LIARS, ["unknown-key"])):
        story, chain = Story().enrol("hall-1", enrolled), _liar(Chain("hall-1"))
        for _ in range(3):
            story.batch(chain.batch())
        assert told(story.entries, roster("hall-1")) == ([*unknown, *["signature"] * 3], [])


def test_a_log_whose_word_is_taken_for_keys_is_called_so() -> None:
    """Then a controller that lies from the beginning is believed, and the auditor is told that nothing else can be."""
    story, chain = ordinary(5).enrol("hall-4", _LIARS), _liar(Chain("hall-4"))
    story.batch(chain.batch())
    review = verified(naive.published(story.entries), roster("hall-1", "hall-2", "hall-3") | {"hall-4": frozenset()})
    assert (review.integrity.findings, review.completeness.findings) == ([], [])
    assert [host.name for host in review.trusting] == ["hall-4"]


def test_a_batch_that_somebody_else_has_signed_is_found_by_the_logs_word_too() -> None:
    story, chain = Story().enrol("hall-1"), Chain("hall-1")
    review = verified(naive.published(story.batch(chain.batch()).batch(_liar(chain).batch()).entries))
    (finding,) = review.integrity.findings
    assert (finding.kind, finding.index, finding.host, finding.sequence) == ("signature", 2, "hall-1", 6)
    assert event_key.text(public("hall-1")) in finding.text


def test_a_batch_without_a_signature() -> None:
    entries = Story().enrol("hall-1").batch(Chain("hall-1").batch()[:-67]).entries
    assert told(entries)[0] == ["signature"]


def test_a_host_that_has_got_another_key() -> None:
    """Each batch must be signed by the key of the enrolment before it; who has both keys in the roster knows of it."""
    story, chain = Story().enrol("hall-1"), Chain("hall-1")
    story.batch(chain.batch()).enrol("hall-1", _LIARS).batch(_liar(chain).batch())
    assert told(story.entries) == ([], [])
    assert verified(naive.published(story.entries)).hosts["hall-1"].rekeyed == 2
    assert told(story.entries, roster("hall-1")) == (["unknown-key", "signature"], [])
    both = {"hall-1": frozenset({public("hall-1"), public("liar")})}
    assert told(story.entries, both) == ([], [])
    chain.key = signer("hall-1")
    assert told(story.batch(chain.batch()).entries)[0] == ["signature"]


@pytest.mark.parametrize("key", ["no key", " "])
def test_an_enrolment_that_tells_no_key(key: str) -> None:
    entries = Story().enrol("hall-1", key).batch(Chain("hall-1").batch()).entries
    assert told(entries) == (["unknown-key"], [])
    assert told(entries, roster("hall-1")) == (["unknown-key"], [])


class Rounds:
    """Batches that end a round: with counters and the ring's position."""

    def __init__(self) -> None:
        self.story, self.next, self.previous = Story().enrol("hall-1"), 1, b""

    def add(
        self,
        records: int,
        position: int,
        *,
        lost: int = 0,
        told: int = 0,
        boot: int = 0,
        folded: int = 0,
        end: bool = True,
    ) -> "Rounds":
        counters = [0] * batch.COUNTERS
        counters[8 * Stage.CONNECT + 6] = lost
        notice = Notice(kind=NoticeKind.NOTICE_KIND_LOST, text="lost", fields={"CONNECT": str(told), "NOTICES": "1"})
        body = Batch(
            host="hall-1",
            boot_id=_BOOT_IDS[boot],
            first_sequence=self.next,
            record_size=event.SIZE,
            records=bytes(event.SIZE * records),
            notices=[notice] if told else [],
            counters=counters if end else [],
            ring_position=136 * position if end else 0,
            folded=Folded(allowed=folded, offsets=range(records + bool(told))) if folded else None,
        )
        data = batch.seal(batch.encode(body), self.previous, signer("hall-1"))
        self.next, self.previous = self.next + records + folded + bool(told), batch.digest(data)
        self.story.batch(data)
        return self

    @property
    def findings(self) -> list[str]:
        return told(self.story.entries)[1]


def test_numbers_that_add_up() -> None:
    rounds = Rounds().add(5, 100).add(3, 103).add(4, 0, end=False).add(1, 108)
    rounds.add(2, 110, folded=3).add(2, 115).add(7, 7, boot=1).add(1, 8, boot=1).add(2, 2, boot=1)
    assert rounds.findings == []


@pytest.mark.parametrize(("records", "boot"), [(2, 0), (4, 0), (2, 1)])
def test_records_that_the_kernel_handed_over_and_nobody_delivered(records: int, boot: int) -> None:
    assert Rounds().add(5, 100).add(records, 103, boot=boot).findings == ["counters"]


def test_losses_are_told_and_must_be_as_the_kernel_counted_them() -> None:
    assert Rounds().add(5, 100, lost=50).add(3, 103, lost=57, told=7).findings == ["lost"]
    assert Rounds().add(5, 100, lost=50).add(3, 103, lost=57, told=6).findings == ["counters", "lost"]
    assert Rounds().add(5, 100, lost=50).add(3, 103, lost=57).findings == ["counters"]

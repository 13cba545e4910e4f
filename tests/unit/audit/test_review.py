"""Whoever holds the log's key can sign anything: what then still tells on them."""

import pytest

from landfast import batch, event, event_key
from landfast.beginning import Beginning
from landfast.tlog.bundle import Entry, Kind
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import Batch, Folded, Notice, NoticeKind
from landfast.verdict import Stage
from tests.e2e.controller.batches import Chain
from tests.testbed.event_keys import public, signer
from tests.unit.audit.stories import Story, ordinary, roster, statement, told, verified
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


def _begins(first: int, previous: bytes = bytes(32)) -> Beginning:
    return Beginning(first, previous)


def _batch(first: int, previous: bytes = bytes(32)) -> bytes:
    return Chain("hall-1", first, previous).batch()


def test_a_host_begins_where_it_has_said() -> None:
    story = Story().enrol("hall-1", stated=_begins(100)).batch(_batch(100))
    assert told(story.entries, roster("hall-1")) == ([], [])
    story.enrol("hall-1", stated=Beginning()).batch(_batch(1, b""))
    assert told(story.entries, roster("hall-1")) == ([], ["begun-anew"])


@pytest.mark.parametrize(
    ("first", "previous", "expected"),
    [
        (101, bytes(32), ([], ["gap"])),
        (100, b"x" * 32, (["chain"], [])),
        (99, bytes(32), (["chain"], [])),
        (1, b"", (["chain"], [])),
    ],
)
def test_a_host_that_does_not_begin_where_it_has_said(
    first: int, previous: bytes, expected: tuple[list[str], list[str]]
) -> None:
    story = Story().enrol("hall-1", stated=_begins(100)).batch(_batch(first, previous))
    assert told(story.entries, roster("hall-1")) == expected
    again = Story().enrol("hall-1").batch(_batch(1, b"")).enrol("hall-1", stated=_begins(100))
    integrity, completeness = told(again.batch(_batch(first, previous)).entries)
    assert (set(expected[0]) <= set(integrity), set(expected[1]) <= set(completeness)) == (True, True)


def test_what_is_left_out_before_a_first_batch_is_named() -> None:
    story = Story().enrol("hall-1", stated=_begins(100)).batch(_batch(103))
    (gap,) = verified(naive.published(story.entries)).completeness.findings
    assert (gap.kind, gap.index, gap.host, gap.sequence) == ("gap", 1, "hall-1", 103)
    assert gap.text.startswith(
        "sequence 100 to 102 are missing, and the host said when it enrolled that it would begin"
    )


def test_a_host_that_goes_on_may_have_said_that_it_begins_with_what_is_here_already() -> None:
    """Its acknowledgements were lost on the way, or came while it enrolled."""
    for first in (1, 4, 6):
        story, chain = Story().enrol("hall-1", stated=Beginning()), Chain("hall-1")
        story.batch(chain.batch()).enrol("hall-1", stated=_begins(first)).batch(chain.batch())
        assert told(story.entries) == ([], [])


def test_what_a_host_has_said_must_be_signed_by_it() -> None:
    for by, expected in (("hall-1", []), ("hall-2", ["signature"])):
        forged = statement("hall-1", _begins(100), by).fields
        story = Story().enrol("hall-1", **forged).batch(_batch(100))
        review = verified(naive.published(story.entries))
        assert [each.kind for each in review.integrity.findings] == expected
        assert [(each.index, each.host) for each in review.integrity.findings] == [(0, "hall-1")] * len(expected)
    other = statement("hall-2", _begins(100), "hall-1").fields
    assert told(Story().enrol("hall-1", **other).batch(_batch(100)).entries)[0] == ["signature"]


def test_the_key_of_the_roster_must_have_signed_it() -> None:
    """A controller that enrols a key of its own in a host's name says with it also where the host begins."""
    lie = Story().enrol("hall-1", _LIARS, **statement("hall-1", _begins(100), "liar").fields)
    lie.batch(_liar(Chain("hall-1", 100, bytes(32))).batch())
    assert told(lie.entries) == ([], [])
    assert told(lie.entries, roster("hall-1"))[0] == ["unknown-key", "signature", "signature"]


@pytest.mark.parametrize(
    "fields",
    [
        {"begins": "0"},
        {"begins": "01"},
        {"begins": "\u0661"},
        {"begins": "1" * 5000},
        {"begins_after": "ff"},
        {"csr_sha256": ""},
        {"begins_signature": "AA=="},
        {"begins_signature": "?"},
    ],
)
def test_what_nobody_can_have_said(fields: dict[str, str]) -> None:
    story = Story().enrol("hall-1", **(statement("hall-1", _begins(100)).fields | fields)).batch(_batch(100))
    assert told(story.entries) == (["malformed"], [])


def test_an_older_agent_does_not_say_where_it_begins_and_that_is_told() -> None:
    """It is no finding. What begins at 1 has nothing before it, and who goes on has it here."""
    for begins, unstated in ((Beginning(), None), (_begins(100), 0)):
        story, chain = Story().enrol("hall-1"), Chain("hall-1", begins.first, begins.previous)
        story.batch(chain.batch()).enrol("hall-1").batch(chain.batch())
        review = verified(naive.published(story.entries))
        assert (review.integrity.findings, review.completeness.findings) == ([], [])
        assert [host.unstated for host in review.unstated] == [unstated] * (unstated is not None)


def test_an_enrolment_that_hides_what_the_host_has_said_is_found_by_its_batches() -> None:
    """Once. What it had said at an enrolment before, or that is pruned, may still stand in batches that waited."""
    chain = Chain("hall-1", 103, bytes(32))
    before = chain.batch()
    chain.begins = 100
    story = Story().enrol("hall-1").batch(before).batch(chain.batch()).batch(chain.batch())
    (finding,) = verified(naive.published(story.entries)).integrity.findings
    assert (finding.kind, finding.index, finding.host, finding.sequence) == ("concealed", 2, "hall-1", 108)
    for first in (100, 103):
        made, later = Story().enrol("hall-1", stated=_begins(first)), Chain("hall-1", first, bytes(32))
        later.begins = 100
        assert told(made.batch(later.batch()).enrol("hall-1").batch(later.batch()).entries) == ([], [])


def test_a_host_that_was_enrolled_before_is_told_by_its_batches() -> None:
    """At another controller, or at this one, which hides that: nobody can tell, so that it is no finding."""
    chain = Chain("hall-1", 103, bytes(32))
    chain.begins = 7
    story = Story().enrol("hall-1", stated=_begins(103)).batch(chain.batch()).batch(chain.batch())
    review = verified(naive.published(story.entries))
    assert (review.integrity.findings, review.completeness.findings) == ([], [])
    assert [(host.name, host.promised) for host in review.before] == [("hall-1", 7)]
    story = Story().enrol("hall-1", stated=Beginning()).batch((own := Chain("hall-1")).batch())
    own.begins = 1
    story.batch(own.batch()).enrol("hall-1", stated=_begins(9)).batch(own.batch())
    assert verified(naive.published(story.entries)).before == []


def test_an_enrolment_after_which_nothing_came_is_kept_in_mind() -> None:
    """What was left out then is not hidden by another enrolment."""
    story = Story().enrol("hall-1", stated=_begins(100)).enrol("hall-1", stated=_begins(100)).batch(_batch(100))
    assert told(story.entries) == ([], [])
    story = Story().enrol("hall-1", stated=_begins(100)).enrol("hall-1", stated=_begins(110)).batch(_batch(110))
    (gap,) = verified(naive.published(story.entries)).completeness.findings
    assert (gap.kind, gap.index, gap.host, gap.sequence) == ("gap", 1, "hall-1", 110)
    assert gap.text.startswith("sequence 100 to 109 are missing")
    story = Story().enrol("hall-1", stated=_begins(100)).enrol("hall-1", stated=Beginning()).batch(_batch(1, b""))
    assert told(story.entries) == ([], ["begun-anew"])


def test_acknowledgements_that_are_lost_between_enrolments_are_no_gap() -> None:
    story, chain = Story().enrol("hall-1", stated=Beginning()), Chain("hall-1")
    story.batch(chain.batch()).enrol("hall-1", stated=_begins(3)).enrol("hall-1", stated=_begins(6, chain.previous))
    assert told(story.batch(chain.batch()).entries) == ([], [])


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

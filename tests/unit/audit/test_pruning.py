"""Logs whose beginning is gone: what was announced in time is no finding, and everything else is."""

import random
import time

import pytest

from landfast.audit.review import Review
from landfast.beginning import Beginning
from landfast.v1.audit_pb2 import ControlAction
from tests.e2e.controller.batches import Chain
from tests.unit.audit.stories import Story, roster, told, verified
from tests.unit.tlog import naive

_DAY_NS = 24 * 3600 * 10**9
_HOSTS = ("hall-1", "hall-2", "hall-3")


class Deployment:
    """Three hosts that report in turn since 200 days ago, on a log that is pruned."""

    def __init__(self) -> None:
        self.story = Story(time.time_ns() - 200 * _DAY_NS)
        self._chains = [Chain(host) for host in _HOSTS]
        for host in _HOSTS:
            self.story.enrol(host)

    def report(self, to: int) -> "Deployment":
        """Batches until the log has so many entries."""
        while (number := len(self.story.entries)) < to:
            self.story.batch(self._chains[number % len(_HOSTS)].batch(events=1))
        return self

    def keep(self, days: int | None) -> "Deployment":
        fields = {} if days is None else {"keep_s": str(days * 24 * 3600)}
        self.story.control(ControlAction.KIND_RETENTION_POLICY, "log", fields=fields)
        return self

    def prune(self, below: object) -> "Deployment":
        self.story.control(ControlAction.KIND_LOG_PRUNED, str(below))
        return self

    def later(self, days: float) -> "Deployment":
        self.story.later(days)
        return self

    def left(self, begin: int) -> dict[str, bytes]:
        """What is published when the entries below `begin` are gone."""
        return pruned(naive.published(self.story.entries), begin)

    def review(self, begin: int) -> Review:
        return verified(self.left(begin), roster(*_HOSTS))

    def found(self, begin: int) -> list[tuple[str, int | None]]:
        return [(each.kind, each.index) for each in self.review(begin).integrity.findings]


def pruned(files: dict[str, bytes], begin: int) -> dict[str, bytes]:
    gone = {f"tile/entries/{naive.number(index)}" for index in range(begin // 256)}
    assert gone <= set(files)
    return {path: files[path] for path in set(files) - gone} | {"minimum-index": b"%d\n" % begin}


def _ordinary() -> Deployment:
    """Kept for 30 days, pruned after 40: the first two bundles may go then."""
    return Deployment().report(600).keep(30).report(700).later(40).report(800).prune(512).report(900)


@pytest.mark.parametrize("begin", [0, 256, 512])
def test_what_was_announced_is_no_finding_however_much_of_it_is_gone(begin: int) -> None:
    review = _ordinary().review(begin)
    assert (review.integrity.findings, review.completeness.findings) == ([], [])
    assert review.begin == begin
    assert {host.enrolled for host in review.hosts.values()} == {None}


def test_the_account_of_a_host_begins_where_the_log_does() -> None:
    made = _ordinary()
    first = {host.name: host.first for host in made.review(512).hosts.values()}
    assert set(first) == set(_HOSTS)
    assert min(first.values()) > 160
    left_out = made.story.entries.pop(650)
    gap, counters = made.review(512).completeness.findings
    assert (gap.kind, counters.kind) == ("gap", "counters")
    assert gap.host.encode() in left_out


def test_a_host_whose_batches_are_pruned_may_have_said_that_it_begins_with_them() -> None:
    """Its acknowledgements were lost before it enrolled again. A new host has said where it begins, as ever."""
    for again, first, expected in (("True", 3, []), ("True", 6, []), ("False", 3, ["gap"]), ("False", 6, [])):
        made, chain = _ordinary(), Chain("hall-4")
        chain.batch()
        made.story.enrol("hall-4", stated=Beginning(first, chain.previous), again=again).batch(chain.batch())
        assert [each.kind for each in made.review(512).completeness.findings] == expected
        assert made.review(512).unstated == []


def test_a_host_of_the_roster_that_is_not_in_what_is_left() -> None:
    review = verified(_ordinary().left(512), roster(*_HOSTS, "hall-9"))
    (finding,) = review.completeness.findings
    assert (finding.kind, finding.host) == ("never-reported", "hall-9")
    assert "since the oldest entry, 512" in finding.text


def test_more_is_gone_than_was_announced() -> None:
    assert _ordinary().found(768) == [("pruned", 768)]
    assert Deployment().report(600).found(256) == [("pruned", 256)]
    assert Deployment().report(600).keep(30).later(60).report(700).found(256) == [("pruned", 256)]


def test_earlier_than_the_policy_allows() -> None:
    made = Deployment().report(600).keep(30).later(29.9).report(700).prune(512).report(800)
    (finding,) = made.review(512).integrity.findings
    assert (finding.kind, finding.index) == ("pruned", 700)
    assert "the policy at index 600 allows (for 30 days)" in finding.text
    assert made.found(0) == [("pruned", 700)], "also for who has a copy of everything"


def test_a_policy_that_has_not_stood_for_the_notice() -> None:
    for days, expected in ((6.9, [("pruned", 701)]), (7.1, [])):
        made = Deployment().report(600).later(60).keep(30).report(700).later(days).report(701).prune(512).report(800)
        assert made.found(512) == expected


def test_a_shorter_policy_counts_from_its_own_publication_and_a_longer_one_at_once() -> None:
    for first, second, days, expected in (
        (100, 10, 6.9, [("pruned", 702)]),
        (100, 10, 7.1, []),
        (10, 100, 0.1, [("pruned", 702)]),
        (10, None, 0.1, [("pruned", 702)]),
        (None, 10, 6.9, [("pruned", 702)]),
        (None, 10, 7.1, []),
    ):
        made = Deployment().report(600).keep(first).later(60).report(700).keep(second).later(days).report(702)
        assert made.prune(512).report(800).found(512) == expected, (first, second, days)


def test_a_pruning_that_takes_its_own_policy_away() -> None:
    made = Deployment().keep(30).report(600).later(40).report(700).prune(512).report(800)
    assert made.found(512) == [("pruned", 700)]
    assert made.found(0) == [("pruned", 700)]


def test_later_prunings_are_judged_by_what_is_left() -> None:
    made = _ordinary().keep(30).report(1000).later(40).report(1100).prune(768).report(1200)
    assert made.found(0) == made.found(512) == made.found(768) == []
    assert made.found(1024) == [("pruned", 1024)]


def test_a_clock_that_was_set_forward_to_prune_sooner() -> None:
    made = Deployment().report(600).keep(30).report(700).later(300).report(800).prune(512).report(900)
    (finding,) = made.review(512).integrity.findings
    assert "its time has not come yet" in finding.text


@pytest.mark.parametrize("below", ["700", "1024", "x", "", "-256", "9" * 30])
def test_an_announcement_of_what_cannot_be_pruned(below: str) -> None:
    made = Deployment().report(600).keep(30).report(700).later(40).report(800).prune(below).report(900)
    assert made.found(0)[0] in (("pruned", 800), ("malformed", 800))


@pytest.mark.parametrize("content", [b"", b"512", b"0512\n", b"-256\n", b"300\n", b"1024\n", b"512\n\n", b"x\n"])
def test_a_minimum_index_that_is_none(content: bytes) -> None:
    files = _ordinary().left(512) | {"minimum-index": content}
    findings = verified(files).integrity.findings
    assert findings[0].path == "minimum-index"


def test_entries_that_are_missing_above_the_minimum_or_hashes_below_it() -> None:
    files = _ordinary().left(512)
    for path in ("tile/entries/002", "tile/0/000", "tile/0/001", "tile/1/000.p/3"):
        findings = verified({where: files[where] for where in set(files) - {path}}).integrity.findings
        assert path in {each.path for each in findings}


def test_hashes_of_pruned_entries_lead_to_the_root() -> None:
    files = _ordinary().left(512)
    altered = bytearray(files["tile/0/001"])
    altered[33] ^= 1
    kinds = {each.kind for each in verified(files | {"tile/0/001": bytes(altered)}).integrity.findings}
    assert kinds == {"altered-tile"}


def test_a_log_that_is_not_pruned_needs_enrolments() -> None:
    assert told(Story().batch(Chain("stranger").batch()).entries) == (["not-enrolled"], [])


def test_no_part_of_what_is_left_can_be_altered_or_taken_away() -> None:
    files, dice = _ordinary().left(512), random.Random(20261128)
    for path in sorted(set(files) - {"checkpoint"}):
        content, bit = bytearray(files[path]), dice.randrange(8 * len(files[path]))
        content[bit // 8] ^= 1 << bit % 8
        assert not verified(files | {path: bytes(content)}).integrity.holds, f"{path}, bit {bit}"
        assert not verified({where: files[where] for where in files if where != path}).integrity.holds, path

"""What hosts have in force, held against the versions that the log recorded."""

import hashlib
from typing import Self

import pytest

from landfast.audit.findings import Verdict
from landfast.audit.review import Expected, Review
from landfast.v1.audit_pb2 import ControlAction
from tests.unit.audit.stories import Story
from tests.unit.report.month import Host


def _digest(words: str) -> bytes:
    return hashlib.sha256(words.encode()).digest()


class _Fleet:
    """A log with one host, which says what is in force; a policy is told from others by its words."""

    def __init__(self) -> None:
        self.story, self._host = Story(), Host("hall-1")

    def accept(self, version: int, words: str, **fields: str) -> Self:
        fields = {"digest": _digest(words).hex()} | fields
        self.story.control(ControlAction.KIND_POLICY_VERSION, str(version), fields=fields)
        return self

    def enrol(self) -> Self:
        self.story.enrol("hall-1")
        return self

    def says(self, version: int, words: str = "") -> Self:
        """A round ends, with this policy in force; version 0 is none."""
        digest = _digest(words) if version else b""
        self.story.batch(self._host.batch([bytes(128)], policy_version=version, policy_digest=digest))
        return self

    def review(self, oldest: int = 0) -> Review:
        """Of a log whose entries below index `oldest` are pruned."""
        made = Review(Verdict(), Expected(None, 60), oldest)
        for index, entry in enumerate(self.story.entries):
            if index >= oldest:
                made.take(index, entry)
        return made

    def found(self, oldest: int = 0) -> list[tuple[str, int | None, int | None]]:
        """Kind, index and sequence number of what is against completeness. Nothing is against integrity."""
        review = self.review(oldest)
        assert review.integrity.findings == []
        return [(each.kind, each.index, each.sequence) for each in review.completeness.findings]


def test_hosts_that_have_what_the_log_recorded() -> None:
    fleet = _Fleet().accept(1, "first").enrol().says(0).says(1, "first").says(0).says(1, "first")
    fleet.accept(2, "second").says(1, "first").says(2, "second").enrol().says(2, "second")
    assert fleet.found() == []


def test_another_policy_under_a_version_of_the_log() -> None:
    """Told once where it begins, with both digests and where the log has its own."""
    fleet = _Fleet().accept(1, "first").enrol().says(1, "first").says(1, "wider").says(1, "wider").says(1, "first")
    assert fleet.found() == [("policy", 3, 2)]
    (finding,) = fleet.review().completeness.findings
    for words in ("policy 1", _digest("wider").hex()[:16], _digest("first").hex()[:16], "at index 0"):
        assert words in finding.text
    assert finding.host == "hall-1"


def test_a_version_that_the_log_did_not_record_or_only_later() -> None:
    fleet = _Fleet().accept(1, "first").enrol().says(1, "first").says(2, "second").accept(2, "second")
    assert fleet.found() == [("policy", 3, 2)]


def test_what_the_log_first_said_of_a_version_counts() -> None:
    fleet = _Fleet().accept(1, "first").enrol().says(1, "first").accept(1, "wider").says(1, "wider")
    assert fleet.found() == [("policy", 4, 2)]


def test_a_broken_glass_is_a_version_like_any_other() -> None:
    fleet = _Fleet().accept(1, "first").enrol().says(1, "first").accept(2, "glass")
    fleet.story.control(ControlAction.KIND_BREAK_GLASS, "2", fields={"by": "olga"})
    assert fleet.says(2, "glass").found() == []


@pytest.mark.parametrize("own", [1, 7])
def test_a_host_that_begins_with_a_file_of_its_own(own: int) -> None:
    """Until the first policy of the deployment reaches it; not again, and not another one."""
    fleet = _Fleet().accept(1, "first").enrol().says(own, "file").says(own, "file")
    host = fleet.review().hosts["hall-1"].in_force
    assert (fleet.found(), host.own, host.is_own) == ([], (own, _digest("file")), True)
    fleet.says(1, "first")
    host = fleet.review().hosts["hall-1"].in_force
    assert (fleet.found(), host.own, host.is_own) == ([], (own, _digest("file")), False)
    assert fleet.says(own, "file").found() == [("policy", 5, 4)]


def test_only_one_policy_can_be_a_hosts_own() -> None:
    assert _Fleet().enrol().says(1, "file").says(2, "another").found() == [("policy", 2, 2)]
    assert _Fleet().accept(1, "first").enrol().says(7, "file").says(8, "file").found() == [("policy", 3, 2)]


def test_after_another_enrolment_a_host_may_come_with_a_file_again() -> None:
    fleet = _Fleet().accept(1, "first").enrol().says(1, "first").enrol().says(2, "file").says(1, "first")
    assert fleet.found() == []


def test_versions_that_are_pruned_cannot_be_compared() -> None:
    fleet = _Fleet().accept(1, "first").accept(2, "second").enrol().says(1, "first").says(2, "second")
    fleet.accept(3, "third").says(2, "second").says(3, "third")
    assert [fleet.found(oldest) for oldest in (3, 4)] == [[], []]
    assert fleet.says(4, "fourth").found(3) == [("policy", 8, 5)]


@pytest.mark.parametrize("digest", ["", "no digest"])
def test_a_version_of_which_the_log_told_no_digest(digest: str) -> None:
    assert _Fleet().accept(1, "first", digest=digest).enrol().says(1, "other").found() == []

"""How far back the log of a report goes, how far it is witnessed, and who has read it."""

from collections.abc import Sequence
from typing import Any

import pytest

from landfast.tlog.cosignature import Cosigner
from landfast.tlog.tiles import CHECKPOINT
from landfast.tlog.witness import path_of
from landfast_cli.report.charts import unknown
from landfast_cli.report.page import page
from landfast_cli.report.period import Period
from landfast_cli.witnessed import Required
from tests.unit.audit.stories import Story
from tests.unit.audit.test_pruning import pruned
from tests.unit.report.month import ALICE, BOB, NS, Host, act, at, enrol, record
from tests.unit.report.reading import report, report_of
from tests.unit.tlog import naive
from tests.unit.tlog.naive import COSIGNER, OTHER_COSIGNER, SIGNER

_DAY_NS = 24 * 3600 * NS


def _log(begin_ns: int, entries: int, step_ns: int) -> Story:
    """So many entries of a host that reports now and then, and 40 days later the pruning of the first 256."""
    story, host = Story(begin_ns), Host("hall-1")
    enrol(story, "hall-1")
    while len(story.entries) < entries:
        if len(story.entries) == 280:
            act(story, "RETENTION_POLICY", "log", keep_s=str(30 * 24 * 3600))
        story.now_ns += step_ns
        story.batch(host.batch([record(story.now_ns)]))
    story.now_ns += 40 * _DAY_NS
    act(story, "LOG_PRUNED", "256")
    return story


@pytest.mark.parametrize(("first_day", "begun"), [("2025-09-18", True), ("2025-09-25", False)])
def test_a_log_that_is_pruned_says_where_it_begins_and_whether_that_is_within_the_period(
    first_day: str, begun: bool
) -> None:
    story = _log(at(f"{first_day} 00:00:00"), 400, 3600 * NS)
    october = Period.parse("2025-10-01", "2025-11-01")
    found = report_of(pruned(naive.published(story.entries), 256), october)
    assert (found["integrity"]["findings"], found["left_out"]["entries"]) == ([], 0)
    log, html = found["log"], page(found)
    assert (log["begin"], log["begun"]) == (256, begun)
    assert (log["oldest"] < "2025-10-01T00:00:00Z") == begun
    assert f"the oldest is index 256, stored {log['oldest'][:10]}" in html
    assert "from its\noldest entry, index 256 to the checkpoint" in html
    assert ("of what was before, this report has" in html) != begun


def test_a_whole_log_says_nothing_of_pruning() -> None:
    found = report(_log(at("2026-09-29 00:00:00"), 400, 3600 * NS).entries)
    assert (found["log"]["begin"], found["log"]["begun"]) == (0, True)
    assert "pruned;" not in page(found)


def _witnessed(entries: Sequence[bytes], cosigned: dict[Cosigner, int], required: Required) -> dict[str, Any]:
    """The report on a log of which each witness has cosigned the first entries, so many."""
    files = naive.published(entries)
    for cosigner, size in cosigned.items():
        note = naive.published(entries[:size])[CHECKPOINT]
        line = cosigner.cosign(SIGNER.verifier.text_of(note), at("2026-10-31 12:00:00") // NS)
        files[path_of(cosigner.verifier)] = note + line.encode()
    return report_of(files, required=required, silent_after_s=10**9)


_KEYS = (COSIGNER.verifier, OTHER_COSIGNER.verifier)


def test_the_strip_of_a_host_is_pale_where_nobody_can_tell() -> None:
    """Before it is enrolled, on 4 October, and after the log's newest entry, 12 days later."""
    host, log = report(_log(at("2026-10-04 00:00:00"), 289, 3600 * NS).entries[:-1])["hosts"][0], "2026-10-15T23:00:00Z"
    october = {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}
    assert list(unknown(host, october, log)) == [
        {"left": "0.00", "width": "9.68"},
        {"left": "48.25", "width": "51.75"},
    ]
    assert list(unknown(host, {"from": "2026-10-05T00:00:00Z", "to": "2026-10-06T00:00:00Z"}, log)) == []


def test_what_witnesses_have_cosigned_of_the_period() -> None:
    entries = _log(at("2026-10-01 00:00:00"), 300, 3600 * NS).entries
    found = _witnessed(entries, {COSIGNER: 301, OTHER_COSIGNER: 280}, Required(_KEYS, 2))
    html = page(found)
    assert (found["witnesses"]["covers"], found["witnesses"]["all"], found["log"]["last"]) == (280, False, 299)
    assert [(each["size"], each["time"]) for each in found["witnesses"]["cosigned"]] == [
        (301, "2026-10-31T12:00:00Z"),
        (280, "2026-10-31T12:00:00Z"),
    ]
    assert "the first 280 entries are cosigned by\n2 of 2" in html
    assert "Not all entries of this period are cosigned" in html
    for key in _KEYS:
        assert html.count(f"--witness {key}".replace("+", "&#43;")) + html.count(f"--witness {key}") == 3
    one = _witnessed(entries, {COSIGNER: 301, OTHER_COSIGNER: 280}, Required(_KEYS, 1))
    assert (one["witnesses"]["covers"], one["witnesses"]["all"]) == (301, True)
    assert "Not all entries of this period are cosigned" not in page(one)
    assert "--witnesses-needed 1" in page(one)


@pytest.mark.parametrize(("size", "all_of_it"), [(299, False), (300, True)])
def test_the_last_entry_of_the_period_is_covered_or_not(size: int, all_of_it: bool) -> None:
    entries = _log(at("2026-10-01 00:00:00"), 300, 3600 * NS).entries
    found = _witnessed(entries, {COSIGNER: size}, Required(_KEYS[:1], 1))
    assert (found["log"]["last"], found["witnesses"]["all"]) == (299, all_of_it)


def test_without_enough_cosignatures_nothing_is_covered() -> None:
    entries = _log(at("2026-10-01 00:00:00"), 300, 3600 * NS).entries
    found = _witnessed(entries, {COSIGNER: 301}, Required(_KEYS, 2))
    assert (found["witnesses"]["covers"], found["witnesses"]["all"], found["integrity"]["holds"]) == (0, False, False)
    assert "not cosigned by\n2 of 2" in page(found)


def test_no_witness_was_asked_for() -> None:
    found = report(_log(at("2026-10-01 00:00:00"), 300, 3600 * NS).entries)
    assert found["witnesses"] is None
    assert "none was asked for" in page(found)
    assert "--witness" not in page(found)


def test_who_has_read_the_log_is_counted_and_no_row_among_what_was_done() -> None:
    story = Story(at("2026-10-02 00:00:00"))
    for hour in range(24 * 7):
        act(story, "LOG_READ", "log", (ALICE, BOB)[hour % 7 == 0], "reads the log", **{"from": "0"})
        story.now_ns += 3600 * NS
    found = report(story.entries)
    assert (found["counted_actions"], found["actions"]["other"]["rows"]) == ({"LOG_READ": 168}, [])
    assert [(row["who"], row["count"], row["first"][:10], row["last"][:10]) for row in found["readers"]["rows"]] == [
        ("approver/bob", 24, "2026-10-02", "2026-10-08"),
        ("operator/alice", 144, "2026-10-02", "2026-10-08"),
    ]
    html = page(found)
    assert "LOG_READ, only counted: 168" in html
    assert "approver/bob" in html

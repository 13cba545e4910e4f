"""What the report makes of results, and that a run can be gone on with."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance import technique
from tests.conformance.report import Outcomes, failures, markdown, write
from tests.conformance.results import Store, gather
from tests.conformance.technique import Technique
from tests.conformance.trial import Outcome, Result

SOURCE = Path(technique.__file__).parent / "techniques" / "udp.py"
PLAIN = Technique("plain", SOURCE, "a plain one", "UDP")
KNOWN = Technique("known", SOURCE, "a known one", "UDP", documented="it cannot be seen")
TECHNIQUES = [PLAIN, KNOWN]


def result(name: str, outcome: Outcome) -> Result:
    return Result(name, outcome, "", 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Both techniques get out when nothing confines them."""
    made = Store(tmp_path, "6.1", "abc")
    for each in TECHNIQUES:
        made.add("none", result(each.name, Outcome.ESCAPED))
    return made


def outcomes(store: Store) -> Outcomes:
    return Outcomes(gather(store.where.parents[1])["6.1"], TECHNIQUES)


def test_an_escape_fails_the_run_unless_it_is_documented(store: Store) -> None:
    store.add("landfast", result("plain", Outcome.ESCAPED))
    store.add("landfast", result("known", Outcome.ESCAPED))
    assert failures(outcomes(store)) == ["landfast: plain escapes: a plain one"]


def test_an_escape_from_a_rival_fails_nothing(store: Store) -> None:
    store.add("nftables", result("plain", Outcome.ESCAPED))
    assert failures(outcomes(store)) == []


def test_a_broken_trial_or_control_fails_the_run(store: Store) -> None:
    for each in TECHNIQUES:
        store.add("landfast", result(each.name, Outcome.HELD))
    store.add("landfast", result("control.approved", Outcome.BROKEN))
    assert failures(outcomes(store)) == ["landfast: control.approved is broken"]


def test_what_is_not_tried_fails_the_run(store: Store) -> None:
    store.add("landfast", result("known", Outcome.HELD))
    assert failures(outcomes(store)) == ["landfast: plain was not tried"]


def test_the_last_result_of_a_technique_counts(store: Store) -> None:
    store.add("landfast", result("plain", Outcome.HELD))
    store.add("landfast", result("plain", Outcome.ESCAPED))
    assert store.of("landfast")["plain"].outcome is Outcome.ESCAPED


def test_a_line_that_was_cut_short_is_tried_again(store: Store) -> None:
    file = store.where / "landfast.jsonl"
    store.add("landfast", result("plain", Outcome.HELD))
    file.write_text(file.read_text() + '{"technique": "kno')
    assert set(store.of("landfast")) == {"plain"}


def test_what_does_not_get_out_by_itself_is_listed_with_its_reason(store: Store) -> None:
    store.add("none", replace(result("plain", Outcome.CANNOT), said="ENOSYS"))
    store.add("landfast", result("known", Outcome.HELD))
    assert outcomes(store).impossible() == {"plain": "ENOSYS"}
    assert failures(outcomes(store)) == []
    assert "- `plain`: ENOSYS" in markdown({"6.1": outcomes(store).facts}, TECHNIQUES)


def test_of_older_commits_only_the_rivals_results_stay(store: Store, tmp_path: Path) -> None:
    for runner in ("landfast", "nftables"):
        store.add(runner, result("plain", Outcome.HELD))
    Store(tmp_path, "6.1", "newer").add("landfast", result("known", Outcome.HELD))
    runners = gather(tmp_path)["6.1"]["runners"]
    assert (set(runners["landfast"]), set(runners["nftables"])) == ({"known"}, {"plain"})


def test_results_of_another_kernel_stay_in_the_report(store: Store, tmp_path: Path) -> None:
    write(tmp_path, {"5.15": outcomes(store).facts | {"kernel": "5.15"}}, TECHNIQUES)
    write(tmp_path, {"6.1": outcomes(store).facts}, TECHNIQUES)
    text = (tmp_path / "conformance.md").read_text()
    assert text.index("## Linux 5.15") < text.index("## Linux 6.1")


def test_reasons_stand_once_for_a_program_or_by_its_variants() -> None:
    part = replace(KNOWN, name="known.part", source=SOURCE.with_name("known.c"))
    other = replace(PLAIN, name="known.rest", source=part.source)
    assert "- `known.part`: it cannot be seen" in markdown({}, [part, other])
    assert "- `known`: it cannot be seen" in markdown({}, [part, replace(other, documented=part.documented)])

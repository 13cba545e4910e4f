"""One technique of every row, and those that got out once, judged by the wire. `make conformance` tries all."""

from pathlib import Path

import pytest

from tests.conformance import build
from tests.conformance.campaign import Campaign
from tests.conformance.runners import RUNNERS
from tests.conformance.technique import Technique, discover
from tests.conformance.trial import Outcome, Result

#: Each got out once, by a mechanism of its own.
ONCE_OPEN = {
    "passed_compat.socketcall_sendmsg",
    "passed_deferred.corked",
    "passed_deferred.corked_mptcp",
    "passed_deferred.corked_udp",
    "passed_socket.raw",
    "passed_switched.corked",
    "passed_switched.udp",
    "write_fellow_memory.proc_mem",
}


def one_of_each_row() -> list[Technique]:
    """The first of those that share a lab: what is documented, or needs an agent of its own, is left out."""
    found: dict[str, Technique] = {}
    for technique in discover():
        if not (technique.documented or technique.spoils or technique.alone):
            key = technique.name if technique.name in ONCE_OPEN else technique.row
            found.setdefault(key, technique)
    assert found.keys() >= ONCE_OPEN
    return list(found.values())


def outcomes(runner: str, techniques: list[Technique], directory: Path) -> dict[str, Result]:
    results: list[Result] = []
    Campaign(RUNNERS[runner], directory, results.append, lambda facts: None).run(techniques)
    return {result.technique: result for result in results}


@pytest.mark.timeout(300)
def test_nothing_escapes_that_does_when_nothing_confines_it(tmp_path: Path) -> None:
    techniques = one_of_each_row()
    build.build_all(techniques)
    free = outcomes("none", techniques, tmp_path)
    runnable = [each for each in techniques if free[each.name].outcome is Outcome.ESCAPED]
    assert len(runnable) > len(techniques) // 2
    confined = outcomes("landfast", runnable, tmp_path)
    wrong = [result for result in confined.values() if result.outcome not in (Outcome.HELD, Outcome.WORKS)]
    assert wrong == []

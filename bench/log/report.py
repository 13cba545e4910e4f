"""The result as a table, as JSON, and as a page of the documentation."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench import tables
from bench.conditions import Conditions
from bench.log.contest import (
    BARE,
    CONTROLLER,
    FOLLOWED,
    FOLLOWING,
    INGEST,
    SINGLE,
    STOPPED,
    UNPROVED,
    Plan,
    Results,
)
from bench.statistics import Estimate, estimate
from bench.tables import Section
from bench.targets import Target

_K = 1e-3
_RATES = ((CONTROLLER, INGEST), (UNPROVED, INGEST), (BARE, INGEST), (SINGLE, INGEST))
_AUDITED = ((FOLLOWED, INGEST), (STOPPED, INGEST), (FOLLOWED, FOLLOWING), (STOPPED, FOLLOWING))
_PERCENTILES = {"p50": 50, "p99": 99, "max": 100}

_INGEST = "Thousands of events a second, acknowledged: the median over rounds ± 95 % confidence"
_WITH_AUDITORS = "The same while auditors are subscribed, and how fast one of them follows"
_COVERED = "Seconds from an event to a signed checkpoint that covers it"
_TARGETS = "Targets"


@dataclass(frozen=True)
class Report:
    """One run. `disturbances` are why it is not to be believed."""

    conditions: Conditions
    plan: Plan
    results: Results
    disturbances: Sequence[str]

    @property
    def targets(self) -> list[Target]:
        results = self.results
        ours = results.rate(CONTROLLER)
        covered = max(*results.idle, *results.loaded)
        return [
            Target("durable ingest, of the bare server's", ">=", 0.5, estimate(ours / results.rate(BARE))),
            Target("the same, of one event in a message", ">=", 50, estimate(ours / results.rate(SINGLE))),
            Target("hashes, signatures and checkpoints, of ingest", "<=", 0.05, self._lost(CONTROLLER, UNPROVED)),
            Target("event to checkpoint, seconds at most", "<=", 2, Estimate(covered, covered, covered)),
            Target("a stopped auditor, of ingest", "<=", 0.05, self._lost(STOPPED, FOLLOWED)),
            Target("a stopped auditor, of what another follows", "<=", 0.05, self._lost(STOPPED, FOLLOWED, FOLLOWING)),
            Target("verified offline, events a second", ">=", 50_000, estimate(results.verified_rate())),
        ]

    def _lost(self, name: str, without: str, what: str = INGEST) -> Estimate:
        return estimate(self.results.lost(name, without, what))

    def sections(self) -> list[Section]:
        return [
            (_INGEST, ("", "k/s"), [(name, self._rate(name, what)) for name, what in _RATES]),
            (_WITH_AUDITORS, ("", "", "k/s"), [(what, name, self._rate(name, what)) for name, what in _AUDITED]),
            (_COVERED, ("", "events", *_PERCENTILES), [*self._delays()]),
            (_TARGETS, ("promise", "limit", "measured", ""), [_row(each) for each in self.targets]),
        ]

    def _rate(self, name: str, what: str) -> str:
        return estimate(_K * self.results.rate(name, what)).text(1)

    def _delays(self) -> Iterable[tuple[str, ...]]:
        for name, delays in (("idle", self.results.idle), ("under load", self.results.loaded)):
            found = (f"{np.percentile(delays, percent):.2f}" for percent in _PERCENTILES.values())
            yield name, str(len(delays)), *found

    def facts(self) -> dict[str, Any]:
        """The conditions as they are shown."""
        shown = asdict(self.conditions)
        names = ("date", "commit", "kernel", "processor", "cpus", "load")
        sizes = {"bytes of a batch": self.results.size, "events verified": self.results.verified}
        return {name: shown[name] for name in names} | asdict(self.plan) | sizes


def _row(target: Target) -> tuple[str, ...]:
    verdict = "met" if target.met else "MISSED"
    return target.promise, f"{target.sign} {target.limit:g}", target.measured.text(), verdict


def show(report: Report) -> None:
    tables.show(report.facts(), report.sections(), report.disturbances)


def as_json(report: Report) -> dict[str, Any]:
    results = report.results
    return {
        "conditions": asdict(report.conditions),
        "plan": asdict(report.plan),
        "disturbances": list(report.disturbances),
        "turns_seconds": results.turns,
        "covered_seconds": {"idle": results.idle, "loaded": results.loaded},
        "verifying": {"events": results.verified, "seconds": results.verifying},
        "targets": [asdict(each) | {"met": each.met} for each in report.targets],
    }


_PAGE = """# What the log costs, and how soon it proves

Written by `make bench-log ARGS=--write`; [bench/README.md](../bench/README.md) says how it is measured. Trust the
ratios: the rates are those of this machine, on which servers, hosts and auditors share the processors.
"""


def as_markdown(report: Report) -> str:
    return tables.markdown(_PAGE, report.facts(), report.sections())

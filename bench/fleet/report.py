"""The result as a table, as JSON, and as a page of the documentation."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench import tables
from bench.conditions import Conditions
from bench.fleet.contest import BARE, CONTROLLER, Plan, Results
from bench.statistics import estimate
from bench.tables import Section
from bench.targets import Target

_MS = 1000.0
_LIMIT = 2.0  # of the p99, against the rival's

_DELAYS = "Milliseconds until a host has acknowledged, or proved: the median over rounds ± 95 % confidence"
_TARGETS = "Targets"
_PERCENTILES = {"p50": 50, "p99": 99, "max": 100}


@dataclass(frozen=True)
class Report:
    """One run. `disturbances` are why it is not to be believed."""

    conditions: Conditions
    plan: Plan
    results: Results
    disturbances: Sequence[str]

    @property
    def target(self) -> Target:
        promise = "p99 until a host has proved a new policy, of a bare broadcast"
        return Target(promise, "<=", _LIMIT, estimate(self.results.ratio(99)))

    def sections(self) -> list[Section]:
        each = self.target
        verdict = (each.promise, f"{each.sign} {each.limit:g}", each.measured.text(), "met" if each.met else "MISSED")
        return [
            (_DELAYS, ("", *_PERCENTILES), [*self._delays()]),
            (_TARGETS, ("promise", "limit", "measured", ""), [verdict]),
        ]

    def _delays(self) -> Iterable[tuple[str, ...]]:
        for server in (CONTROLLER, BARE):
            found = (self.results.percentile(server, percent) for percent in _PERCENTILES.values())
            yield server, *(estimate(_MS * each).text(0) for each in found)
        yield "ratio", *(estimate(self.results.ratio(percent)).text(2) for percent in _PERCENTILES.values())

    def facts(self) -> dict[str, Any]:
        """The conditions as they are shown."""
        shown = asdict(self.conditions)
        names = ("date", "commit", "kernel", "processor", "cpus", "load")
        sizes = {"bytes sent to a host": self.results.size, "one host verifies them in": f"{self._verifying:.0f} ms"}
        return {name: shown[name] for name in names} | asdict(self.plan) | sizes

    @property
    def _verifying(self) -> float:
        return _MS * float(np.median(self.results.verifying))


def show(report: Report) -> None:
    tables.show(report.facts(), report.sections(), report.disturbances)


def as_json(report: Report) -> dict[str, Any]:
    results = report.results
    return {
        "conditions": asdict(report.conditions),
        "plan": asdict(report.plan),
        "disturbances": list(report.disturbances),
        "bytes": results.size,
        "seconds": {
            server: {name: asdict(estimate(results.percentile(server, each))) for name, each in _PERCENTILES.items()}
            for server in (CONTROLLER, BARE)
        },
        "ratio": {name: asdict(estimate(results.ratio(each))) for name, each in _PERCENTILES.items()},
        "verifying_seconds": results.verifying,
        "targets": [asdict(report.target) | {"met": report.target.met}],
    }


_PAGE = """# How soon a fleet has proved a new policy

Written by `make bench-fleet ARGS=--write`; [bench/README.md](../bench/README.md) says how it is measured. Trust the
ratio: the milliseconds are those of this machine, on which servers and hosts share the processors.
"""


def as_markdown(report: Report) -> str:
    return tables.markdown(_PAGE, report.facts(), report.sections())

"""The result as tables for a terminal, as JSON, and as a page of the documentation."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench import tables
from bench.conditions import Conditions
from bench.measure import NONE, Plan, Results
from bench.replacement import Replacement
from bench.statistics import distribution, estimate
from bench.tables import Section
from bench.targets import Target

_SPEED = "Operations per second, as a part of those with nothing, ± 95 % confidence"
_COST = "Nanoseconds per operation: p10 of slices of a millisecond"
_TARGETS = "Targets"
_REPLACING = "100,000 prefixes replaced under continuous traffic"


@dataclass(frozen=True)
class Report:
    """One run. `disturbances` are why it is not to be believed."""

    conditions: Conditions
    plan: Plan
    results: Results
    replacements: Sequence[Replacement]
    targets: Sequence[Target]
    disturbances: Sequence[str]

    def sections(self) -> list[Section]:
        workloads = tuple(self.results.workloads)
        return [
            (_COST, ("", *workloads), [*self._costs()]),
            (_SPEED, ("", *workloads), [*self._speeds()]),
            (_REPLACING, ("", "seconds", "of that writing", "verdicts seen", "wrong"), [*self._replacing()]),
            (_TARGETS, ("promise", "limit", "measured", ""), [*self._targets()]),
        ]

    def _costs(self) -> Iterable[tuple[str, ...]]:
        for name in self.results.configurations:
            yield name, *(f"{self.results.cost(name, each)[0]:,.0f}" for each in self.results.workloads)

    def _speeds(self) -> Iterable[tuple[str, ...]]:
        for name in self.results.configurations:
            if name != NONE:
                yield name, *(estimate(self.results.speed(name, each)).text() for each in self.results.workloads)

    def _replacing(self) -> Iterable[tuple[str, ...]]:
        for each in self.replacements:
            whole, installing = (
                estimate(distribution([[value] for value in values])).text(2)
                for values in ([t.whole for t in each.timings], [t.installing for t in each.timings])
            )
            yield each.name, whole, installing, f"{each.probed:,}", str(each.wrong)

    def _targets(self) -> Iterable[tuple[str, ...]]:
        for each in self.targets:
            yield each.promise, f"{each.sign} {each.limit:g}", each.measured.text(), "met" if each.met else "MISSED"

    def facts(self) -> dict[str, Any]:
        """The conditions as they are shown."""
        shown = {name: value for name, value in asdict(self.conditions).items() if name != "tools"}
        return shown | self.conditions.tools | {"rounds": self.plan.rounds, "slices": self.plan.slices}


def show(report: Report) -> None:
    tables.show(report.facts(), report.sections(), report.disturbances)


def as_json(report: Report) -> dict[str, Any]:
    results = report.results
    return {
        "conditions": asdict(report.conditions),
        "plan": asdict(report.plan),
        "disturbances": list(report.disturbances),
        "nanoseconds": {
            name: {each: asdict(estimate(results.cost(name, each))) for each in results.workloads}
            for name in results.configurations
        },
        "of_none": {
            name: {each: asdict(estimate(results.speed(name, each))) for each in results.workloads}
            for name in results.configurations
        },
        "drift": results.drift(),
        "replacements": [asdict(each) for each in report.replacements],
        "targets": [asdict(each) | {"met": each.met} for each in report.targets],
    }


_PAGE = """# What enforcement costs

Written by `make bench ARGS=--write`; [bench/README.md](../bench/README.md) says how it is measured. Trust the ratios:
the nanoseconds are those of this machine.
"""


def as_markdown(report: Report) -> str:
    return tables.markdown(_PAGE, report.facts(), report.sections())

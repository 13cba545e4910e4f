"""The report: a table for the terminal, docs/conformance.json and docs/conformance.md."""

import json
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.conformance.runners import RUNNERS
from tests.conformance.technique import Technique

_WORDS = {"held": "held", "escaped": "**out**", "documented": "documented", "broken": "broken", "": "-"}
_SUMMARY = ("runner", "techniques", "out", "documented", "broken", "frames apart")
_COLUMNS = 120
_INTRODUCTION = """\
# Conformance

Every technique is a small program that tries to get a byte to a destination that is not allowed. A capture on the far
side of the wire judges, not the program: a frame that carries the technique's mark, or a SYN or payload to where it
may not go, is an escape; resets and bare acknowledgements are counted apart. A technique counts on a kernel only after
it was seen to escape there with nothing to confine it. Each run also checks that an untagged process reaches the same
destinations, and that a confined one reaches the approved destination. `make conformance` repeats all of it; the
results are in [conformance.json](conformance.json).

Columns: *Landfast* is `landfast-agent exec`, or `tag` for a technique that is confined while it runs; *caps kept* is
the same with `--keep-capabilities`, as root. The rivals act on a cgroup: *hooks*, an allowlist in connect and sendmsg
hooks; *skb*, one in skb egress; *hooks + skb*, both; *nftables*, with `socket cgroupv2`. Each of them allows loopback,
as the usual rule sets do. *Documented* are ways out that the design does not close; the reasons are at the end.
"""


class Outcomes:
    """The results of one kernel beside the descriptions of the techniques."""

    def __init__(self, facts: dict[str, Any], techniques: list[Technique]) -> None:
        self.facts, self._techniques = facts, {technique.name: technique for technique in techniques}
        self.runners = [name for name in RUNNERS if name in facts["runners"] and name != "none"]

    def runnable(self) -> list[Technique]:
        free = self.facts["runners"].get("none", {})
        return [each for name, each in self._techniques.items() if free.get(name, {}).get("outcome") == "escaped"]

    def impossible(self) -> dict[str, str]:
        """Techniques that do not get out here with nothing to confine them, and what they said."""
        free = self.facts["runners"].get("none", {})
        return {
            name: found.get("said") or f"no frame was seen (status {found.get('status', 0)})"
            for name, found in free.items()
            if found["outcome"] != "escaped" and name in self._techniques
        }

    def of(self, runner: str, technique: Technique) -> str:
        """`held`, `escaped`, `documented`, `broken`, or nothing when it was not tried."""
        found = self.facts["runners"][runner].get(technique.name, {}).get("outcome", "")
        ours = RUNNERS[runner].is_ours
        return "documented" if found == "escaped" and ours and technique.documented else str(found)

    def titles(self) -> tuple[str, ...]:
        return tuple(RUNNERS[runner].title for runner in self.runners)

    def escapes(self, runner: str) -> list[Technique]:
        return [technique for technique in self.runnable() if self.of(runner, technique) == "escaped"]

    def missing(self, runner: str) -> list[str]:
        """What the runner was not tried with, although it gets out by itself here."""
        return [technique.name for technique in self.runnable() if not self.of(runner, technique)]

    def broken(self, runner: str) -> list[str]:
        """Trials and controls that prove nothing."""
        return [name for name, found in self.facts["runners"].get(runner, {}).items() if found["outcome"] == "broken"]

    def summary(self) -> list[tuple[str, ...]]:
        """A line for each runner, after the heads of its columns."""
        return [_SUMMARY, *(self._counts(runner) for runner in self.runners)]

    def _counts(self, runner: str) -> tuple[str, ...]:
        outcomes = [self.of(runner, technique) for technique in self.runnable()]
        tried = sum(outcome in ("held", "escaped", "documented") for outcome in outcomes)
        apart = sum(found.get("apart", 0) for found in self.facts["runners"][runner].values())
        counts = (tried, outcomes.count("escaped"), outcomes.count("documented"), len(self.broken(runner)), apart)
        return RUNNERS[runner].title, *map(str, counts)


def failures(outcomes: Outcomes) -> list[str]:
    """What makes the run fail: under Landfast, undocumented escapes, broken trials, and trials that are missing."""
    broken = [f"none: {name} is broken" for name in outcomes.broken("none")]
    return broken + [
        line
        for runner in outcomes.runners
        if RUNNERS[runner].is_ours
        for line in (
            *(f"{runner}: {technique.name} escapes: {technique.title}" for technique in outcomes.escapes(runner)),
            *(f"{runner}: {name} is broken" for name in outcomes.broken(runner)),
            *(f"{runner}: {name} was not tried" for name in outcomes.missing(runner)),
        )
    ]


def table(outcomes: Outcomes) -> str:
    """The summary, for the terminal."""
    return "\n".join(_columns(row) for row in outcomes.summary())


def _columns(cells: tuple[str, ...]) -> str:
    return f"{cells[0]:30}" + "".join(f"{cell:>14}" for cell in cells[1:])


def markdown(kernels: dict[str, Any], techniques: list[Technique]) -> str:
    parts = [_INTRODUCTION, *(_kernel(Outcomes(facts, techniques)) for _, facts in sorted(kernels.items()))]
    return "\n".join([*parts, _documented(techniques)])


def _kernel(outcomes: Outcomes) -> str:
    facts = outcomes.facts
    about = f"{facts['date']}, commit {facts['commit']}. {facts.get('tier', '')}".strip()
    lines = [f"## Linux {facts['kernel']}", "", about, ""]
    lines += _table(outcomes.summary())
    for row, techniques in _by_row(outcomes.runnable()).items():
        lines += ["", f"### {row}", "", *_titles(techniques), ""]
        lines += _table([("", *outcomes.titles()), *(_line(outcomes, technique) for technique in techniques)])
    lines += ["", "### Not runnable on this kernel", ""]
    return "\n".join([*lines, *(f"- `{name}`: {_plain(why)}" for name, why in outcomes.impossible().items()), ""])


def _titles(techniques: list[Technique]) -> list[str]:
    """What the programs do; variants of one program have the title in common."""
    return _items({technique.source.stem: technique.about for technique in techniques})


def _items(texts: dict[str, str]) -> list[str]:
    wrapped = (textwrap.wrap(f"- `{name}`: {text}", _COLUMNS, subsequent_indent="  ") for name, text in texts.items())
    return [line for lines in wrapped for line in lines]


def _line(outcomes: Outcomes, technique: Technique) -> tuple[str, ...]:
    found = (_WORDS.get(outcomes.of(runner, technique), "-") for runner in outcomes.runners)
    return (f"`{technique.name}`", *found)


def _by_row(techniques: list[Technique]) -> dict[str, list[Technique]]:
    found: dict[str, list[Technique]] = defaultdict(list)
    for technique in techniques:
        found[technique.row].append(technique)
    return dict(sorted(found.items()))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    head, *rest = rows
    return [f"| {' | '.join(cells)} |" for cells in (head, ("--",) * len(head), *rest)]


def _plain(words: str) -> str:
    return words.replace("|", "/").replace("`", "'")[:70].strip()


def _documented(techniques: list[Technique]) -> str:
    """Once for a program of which all variants are documented for the same reason."""
    programs: dict[str, set[str]] = defaultdict(set)
    for each in techniques:
        programs[each.source.stem].add(each.documented)
    reasons = {
        each.source.stem if len(programs[each.source.stem]) == 1 else each.name: each.documented
        for each in techniques
        if each.documented
    }
    return "\n".join(["## Documented", "", *_items(dict(sorted(reasons.items()))), ""])


def _encoded(value: Any, depth: int = 0) -> str:
    """JSON with a line for each result, so that a difference can be read."""
    if not isinstance(value, dict) or "outcome" in value or "title" in value:
        return json.dumps(value)
    inner = ",\n".join(
        f"{' ' * (depth + 1)}{json.dumps(key)}: {_encoded(value[key], depth + 1)}" for key in sorted(value)
    )
    return f"{{\n{inner}\n{' ' * depth}}}"


def write(directory: Path, kernels: dict[str, Any], techniques: list[Technique]) -> None:
    """Puts the kernels' results in place of what conformance.json had of them, and writes both files."""
    file = directory / "conformance.json"
    known = json.loads(file.read_text())["kernels"] if file.exists() else {}
    merged = known | kernels
    described = {
        each.name: {"title": each.title, "row": each.row, "documented": each.documented} for each in techniques
    }
    file.write_text(_encoded({"techniques": described, "kernels": merged}) + "\n")
    (directory / "conformance.md").write_text(markdown(merged, techniques))

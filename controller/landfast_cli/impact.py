"""What a candidate policy would change for the flows of the fleet."""

import time as clock
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import click

from landfast import render
from landfast.flows import MOST, Flow, Fold, Omitted, Sighting, Summary, utc
from landfast.policy.model import Draft
from landfast.policy.numbering import RuleKind
from landfast.replay import Change, Judgement, Replay
from landfast_cli import files, following, output, recorded
from landfast_cli.session import Session

HEADINGS = ("SEEN", "LAST", "WHY", "CLASS, DESTINATION, PROCESS")

_TITLES = {
    Change.DENIED: "newly denied: these passed, and would be refused",
    Change.ALLOWED: "newly allowed: these were refused, or would have been but for audit mode",
    Change.RECORDED: "newly WOULD_DENY: these were allowed, and would pass only since a class is in audit mode",
}
_DEPENDS = {Change.ALLOWED: "if", Change.DENIED: "unless", Change.RECORDED: "unless"}


class Changed(NamedTuple):
    flow: Flow
    judgement: Judgement


class Impact:
    """Decisions by what changes, and the flows that something changes for."""

    def __init__(self, most: int = MOST) -> None:
        self.decisions: Counter[Change] = Counter()
        self.changed: Fold[Changed] = Fold(most)

    def of(self, seen: Iterable[Sighting], candidate: Replay) -> "Impact":
        """Takes in what was seen."""
        for each in seen:
            judgement = candidate.judge(each)
            self.decisions[judgement.change] += 1
            if judgement.change != Change.NONE:
                self.changed.add(Changed(each.flow, judgement), each)
        return self

    @property
    def denies(self) -> bool:
        """Whether anything that passed would be refused."""
        return bool(self.decisions[Change.DENIED])

    def flows(self, wanted: Change) -> list[tuple[Changed, Summary]]:
        """Flows with this change, the most frequent first."""
        found = [each for each in self.changed.summaries.items() if each[0].judgement.change == wanted]
        return sorted(found, key=lambda each: (-each[1].count, each[0].flow.classes, str(each[0].flow.remote)))


def replayed(session: Session, draft: Draft, since: str) -> tuple[Impact, Omitted]:
    """What `draft` would have changed in what the fleet recorded, and what could not be replayed."""
    now = clock.time()
    candidate, found, omitted = Replay(*files.compiled(draft), now), Impact(), Omitted()
    found.of(recorded.read(session, following.request(since, False, now), omitted), candidate)
    return found, omitted


def show(impact: Impact, omitted: Omitted) -> None:
    """A table for each change that there is, and a line that sums up; what was left out goes to standard error."""
    for change, title in _TITLES.items():
        if flows := impact.flows(change):
            click.echo(title)
            output.table(HEADINGS, (_row(*each) for each in flows))
            click.echo()
    counts = impact.decisions
    told = ", ".join(f"{counts[change]} {change.value.replace('_', ' ')}" for change in Change)
    click.echo(f"{counts.total()} decisions: {told}")
    recorded.note_omitted(omitted)
    recorded.note_beyond(impact.changed.beyond, MOST)


def document(impact: Impact, omitted: Omitted) -> dict[str, Any]:
    """The same for programs."""
    counted = {"decisions": {change.value: impact.decisions[change] for change in Change}}
    flows = {change.value: [_document(*each) for each in impact.flows(change)] for change in _TITLES}
    left_out = {reason.value: count for reason, count in sorted(omitted.items())}
    return counted | flows | {"beyond": impact.changed.beyond, "left_out": left_out}


def _row(changed: Changed, summary: Summary) -> tuple[str, ...]:
    flow, judgement = changed
    last = utc(summary.last_ns).rstrip("Z").replace("T", "\n")
    process = " of ".join(filter(None, (flow.comm or "?", flow.unit)))
    lines = [", ".join(flow.classes), _destination(flow), f"{process} on {flow.host}"]
    if not judgement.certain:
        lines.append(f"({_DEPENDS[judgement.change]} the receiver carries the class)")
    return str(summary.count), last, judgement.reason.name, "\n".join(lines)


def _destination(flow: Flow) -> str:
    if flow.remote is None:
        return f"-> unix:{flow.unix_name or '?'}"
    protocol = render.protocol(flow.protocol)
    if flow.kind == RuleKind.SERVE:
        return f"{protocol}/{flow.port} -> {flow.remote}"
    return f"-> {flow.remote} {protocol}" + (f"/{flow.port}" if flow.port else "")


def _document(changed: Changed, summary: Summary) -> dict[str, Any]:
    flow, judgement = changed
    return {
        "classes": list(flow.classes),
        "list": flow.kind.value,
        "remote": str(flow.remote) if flow.remote else None,
        "protocol": render.protocol(flow.protocol) if flow.remote else None,
        "port": flow.port,
        "unix_name": flow.unix_name or None,
        "host": flow.host,
        "process": {"name": flow.comm, "executable": flow.executable, "unit": flow.unit},
        "count": summary.count,
        "first": utc(summary.first_ns),
        "last": utc(summary.last_ns),
        "recorded": {verdict.name: count for verdict, count in sorted(summary.verdicts.items())},
        "verdict": judgement.verdict.name,
        "reason": judgement.reason.name,
        "certain": judgement.certain,
    }

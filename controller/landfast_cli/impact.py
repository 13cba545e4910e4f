"""What a candidate policy would change for the flows of the fleet, and which of its rules none of them is about."""

import time as clock
from typing import Any, NamedTuple

import click

from landfast import render, shadow
from landfast.flows import MOST, Omitted, Summary, utc
from landfast.impact import Changed, Impact
from landfast.policy.model import Draft
from landfast.policy.numbering import NumberedRule, line
from landfast.replay import Change, Replay
from landfast.usage import Usage
from landfast_cli import files, following, output, recorded
from landfast_cli.session import Session

HEADINGS = ("SEEN", "LAST", "WHY", "CLASS, DESTINATION, PROCESS")

_TITLES = {
    Change.DENIED: "newly denied: these passed, and would be refused",
    Change.ALLOWED: "newly allowed: these were refused, or would have been but for audit mode",
    Change.RECORDED: "newly WOULD_DENY: these were allowed, and would pass only since a class is in audit mode",
}
_DEPENDS = {Change.ALLOWED: "if", Change.DENIED: "unless", Change.RECORDED: "unless"}


class Replayed(NamedTuple):
    """Impact, and rules that nothing recorded is about: None when there were too many different flows to tell."""

    impact: Impact
    unused: list[NumberedRule] | None
    omitted: Omitted


def replayed(session: Session, draft: Draft, since: str) -> Replayed:
    """What `draft` would have changed in what the fleet recorded, and what could not be replayed."""
    now, (policy, tables) = clock.time(), files.compiled(draft)
    found, usage, omitted = Impact(), Usage(), Omitted()
    seen = usage.passing(recorded.read(session, following.request(since, False, now), omitted))
    found.of(seen, Replay(policy, tables, now))
    return Replayed(found, list(usage.unused(policy)) if usage.complete else None, omitted)


def show(found: Replayed) -> None:
    """Tables, unused rules, and a line that sums up; what was left out goes to standard error."""
    _show_unused(found.unused)
    tables(found.impact)
    recorded.note_omitted(found.omitted)
    recorded.note_beyond(found.impact.changed.beyond, MOST)


def _show_unused(rules: list[NumberedRule] | None) -> None:
    if rules is None:
        output.note("too many different flows to tell which rules none of them is about; choose a shorter --since")
    elif rules:
        click.echo("unused: nothing that was recorded is about these rules")
        output.first(map(line, rules))
        click.echo()


def tables(impact: Impact) -> None:
    """A table for each change that there is, and a line that sums up."""
    for change, title in _TITLES.items():
        if flows := impact.flows(change):
            click.echo(title)
            output.table(HEADINGS, (_row(*each) for each in flows))
            click.echo()
    counts = impact.decisions
    told = ", ".join(f"{counts[change]} {change.value.replace('_', ' ')}" for change in Change)
    click.echo(f"{counts.total()} decisions: {told}")


def document(impact: Impact, omitted: Omitted) -> dict[str, Any]:
    """The same for programs."""
    counted = {"decisions": {change.value: impact.decisions[change] for change in Change}}
    flows = {change.value: [_document(*each) for each in impact.flows(change)] for change in _TITLES}
    left_out = {reason.value: count for reason, count in sorted(omitted.items())}
    return counted | flows | {"beyond": impact.changed.beyond, "left_out": left_out}


def replayed_document(found: Replayed) -> dict[str, Any]:
    """With the rules that are not used."""
    rules = found.unused
    unused = None if rules is None else [_rule(each) for each in rules]
    return document(found.impact, found.omitted) | {"unused": unused}


def _rule(each: NumberedRule) -> dict[str, str]:
    return {"class": each.owner.name, "list": each.kind.value, "rule": str(each.rule), "reason": each.rule.reason}


def _row(changed: Changed, summary: Summary) -> tuple[str, ...]:
    flow, judgement = changed
    last = utc(summary.last_ns).rstrip("Z").replace("T", "\n")
    process = " of ".join(filter(None, (flow.comm or "?", flow.unit)))
    lines = [", ".join(flow.classes), shadow.destination(flow), f"{process} on {flow.host}"]
    if not judgement.certain:
        lines.append(f"({_DEPENDS[judgement.change]} the receiver carries the class)")
    return str(summary.count), last, judgement.reason.name, "\n".join(lines)


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

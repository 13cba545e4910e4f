"""Shadows of hosts, as they are started and printed."""

import time as clock
from collections.abc import Sequence
from typing import Any

import click

from landfast import shadow
from landfast.event import printable
from landfast.flows import Omission, Omitted
from landfast.impact import Impact
from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.model import Draft
from landfast.policy.succession import succeed
from landfast.replay import Change
from landfast.v1.fleet_pb2 import ListHostsRequest
from landfast.v1.shadow_pb2 import ShadowState
from landfast_cli import impact, output, recorded, versions
from landfast_cli.errors import BadInputError
from landfast_cli.output import json_time, time
from landfast_cli.session import TIMEOUT_S, Session

HEADINGS = ("JUDGED", "DENY", "ALLOW", "SHADOW", "REPORTED", "HOST, STATE")


def candidate(session: Session, draft: Draft) -> bytes:
    """The canonical form that `draft` would have as the next version. Raises BadInputError."""
    try:
        return canonical.encode(succeed(draft, versions.newest(session)))
    except PolicyError as error:
        raise BadInputError(f"the policy is refused:\n{error}") from None


def named(session: Session, names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """The hosts that are meant, by name or by label: none means all. Raises BadInputError for a label of nobody."""
    found = session.fleet.ListHosts(ListHostsRequest(), timeout=TIMEOUT_S).hosts if labels else []
    for label in labels:
        if not any(label in host.labels for host in found):
            raise BadInputError(f"no host has the label {label}; give it to some: landfast fleet label HOST {label}")
    return sorted({*names, *(host.name for host in found if set(labels) & set(host.labels))})


def state(found: ShadowState) -> str:
    """How far a shadow is, in a word or with the reason."""
    if found.report.problem:
        return printable(f"judges nothing: {found.report.problem}")
    if found.HasField("stopped"):
        return "stopped"
    if found.until.ToNanoseconds() <= clock.time_ns() or found.report.ended:
        return "over"
    return "judging" if found.HasField("reported") else "not heard of yet"


def row(found: ShadowState) -> tuple[str, ...]:
    counts = shadow.counts(found.report)
    numbers = counts.total(), counts[Change.DENIED], counts[Change.ALLOWED]
    where = f"{found.host}: {state(found)}"
    return *map(str, numbers), found.digest.hex()[:8], time(found.reported)[5:16] or "-", where


def hosts(shadows: Sequence[ShadowState]) -> str:
    """`host hall-1`, `3 hosts`."""
    return f"host {shadows[0].host}" if len(shadows) == 1 else f"{len(shadows)} hosts"


def summed(shadows: Sequence[ShadowState]) -> tuple[Impact, Omitted, int]:
    """What all of them found; what could not be judged; and events that were missed."""
    total, omitted = Impact(), Omitted()
    for each in shadows:
        shadow.add(each.report, each.host, total)
        for reason in Omission:
            omitted[reason] += each.report.left_out.get(reason.value, 0)
    return total, +omitted, sum(each.report.missed for each in shadows)


def show(shadows: Sequence[ShadowState]) -> None:
    """A line for each host, and the most frequent flows that something would change for."""
    output.table(HEADINGS, map(row, shadows))
    total, omitted, missed = summed(shadows)
    if total.decisions:
        click.echo()
        impact.tables(total)
    recorded.note_omitted(omitted)
    if missed:
        output.note(f"{missed} events were gone from the spools of hosts before they could be judged")


def document(shadows: Sequence[ShadowState]) -> dict[str, Any]:
    """The same for programs."""
    total, omitted, missed = summed(shadows)
    return {"hosts": [_document(each) for each in shadows], "missed": missed} | impact.document(total, omitted)


def _document(found: ShadowState) -> dict[str, Any]:
    counts = shadow.counts(found.report)
    return {
        "host": found.host,
        "digest": found.digest.hex(),
        "author": found.author,
        "reason": printable(found.reason),
        "started": json_time(found.started),
        "until": json_time(found.until),
        "stopped": json_time(found.stopped),
        "reported": json_time(found.reported),
        "state": state(found),
        "decisions": {change.value: counts[change] for change in Change},
        "missed": found.report.missed,
    }

"""Incidents, printed."""

from typing import Any

from landfast.event import printable
from landfast.v1.incident_pb2 import Incident
from landfast_cli.output import json_time, time

HEADINGS = ("ID", "STATE", "RULE", "SUBJECT", "COUNT", "LAST SEEN (UTC)", "WHAT")


def state(incident: Incident) -> str:
    """`open`, `acknowledged`, `closed`."""
    return Incident.State.Name(incident.state).removeprefix("STATE_").lower()


def row(incident: Incident) -> tuple[str, ...]:
    what = printable(incident.text)
    subject = printable(incident.subject)
    return (
        str(incident.id),
        state(incident),
        incident.rule,
        subject,
        str(incident.count),
        time(incident.last_seen),
        what,
    )


def line(incident: Incident) -> str:
    return f"incident {incident.id}: {state(incident)}, {incident.rule} {printable(incident.subject)}"


def description(incident: Incident) -> str:
    """Lines for one incident."""
    lines = [
        line(incident),
        f"{incident.count} times from {time(incident.opened)} to {time(incident.last_seen)} UTC",
        f"last: {printable(incident.text)}",
        f"look: landfast events follow --no-follow --from {incident.first_index}   (to index {incident.last_index})",
    ]
    if incident.acknowledged_by:
        lines.append(f"acknowledged by {printable(incident.acknowledged_by)}")
    if incident.closed_by:
        lines.append(f"closed by {printable(incident.closed_by)}: {printable(incident.reason)}")
    return "\n".join(lines)


def document(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.id,
        "state": state(incident),
        "rule": incident.rule,
        "subject": printable(incident.subject),
        "count": incident.count,
        "opened": json_time(incident.opened),
        "last_seen": json_time(incident.last_seen),
        "first_index": incident.first_index,
        "last_index": incident.last_index,
        "text": printable(incident.text),
        "acknowledged_by": incident.acknowledged_by,
        "closed_by": incident.closed_by,
        "reason": printable(incident.reason),
    }

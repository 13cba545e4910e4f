"""`landfast incidents`: what somebody should look at."""

import click

from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import why

_number = click.argument("number", metavar="ID", type=click.IntRange(min=1, max=2**63 - 1))


@click.group(
    epilog="""\b
Examples:
  landfast incidents list
  landfast incidents ack 12
  landfast incidents close 12 --reason "hall-1 was rebooted for its new disk"
"""
)
def incidents() -> None:
    """What somebody should look at: rules open incidents from the log, people acknowledge and close them."""


@incidents.command(
    "list",
    epilog="""\b
Exit status: 0 none is open, 1 some are open (acknowledged ones are not).

\b
Examples:
  landfast incidents list
  landfast incidents list --all --json | jq '.[] | select(.rule == "tamper")'
""",
)
@click.option("--all", "closed", is_flag=True, help="Those that are closed too.")
@as_json_option
def list_(closed: bool, as_json: bool) -> None:
    """The newest first, at most 1,000."""
    import sys

    from landfast.v1.incident_pb2 import Incident, ListIncidentsRequest
    from landfast_cli import incidents, output
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        request = ListIncidentsRequest(closed=closed)
        found = current.incidents.ListIncidents(request, timeout=TIMEOUT_S).incidents
    if as_json:
        output.document(list(map(incidents.document, found)))
    else:
        output.table(incidents.HEADINGS, map(incidents.row, found))
    if any(incident.state == Incident.STATE_OPEN for incident in found):
        sys.exit(1)


@incidents.command(
    epilog="""\b
Examples:
  landfast incidents show 12
  landfast incidents show 12 --json | jq .count
"""
)
@_number
@as_json_option
def show(number: int, as_json: bool) -> None:
    """One incident, and where in the log to look."""
    from landfast.v1.incident_pb2 import GetIncidentRequest
    from landfast_cli import incidents, output
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.incidents.GetIncident(GetIncidentRequest(id=number), timeout=TIMEOUT_S).incident
    if as_json:
        output.document(incidents.document(found))
    else:
        click.echo(incidents.description(found))


@incidents.command(
    epilog="""\b
Examples:
  landfast incidents ack 12
"""
)
@_number
def ack(number: int) -> None:
    """Say that you look at it. It goes into the log."""
    from landfast.v1.incident_pb2 import AcknowledgeIncidentRequest
    from landfast_cli import incidents
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        request = AcknowledgeIncidentRequest(id=number)
        found = current.incidents.AcknowledgeIncident(request, timeout=TIMEOUT_S).incident
    click.echo(incidents.line(found))


@incidents.command(
    epilog="""\b
Examples:
  landfast incidents close 12 --reason "hall-1 was rebooted for its new disk"
"""
)
@_number
@why
def close(number: int, reason: str) -> None:
    """Close it. When it happens again, another one opens. It goes into the log."""
    from landfast.v1.incident_pb2 import CloseIncidentRequest
    from landfast_cli import incidents
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        request = CloseIncidentRequest(id=number, reason=reason)
        found = current.incidents.CloseIncident(request, timeout=TIMEOUT_S).incident
    click.echo(incidents.line(found))

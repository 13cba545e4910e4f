"""`landfast rollout`: the newest version on its way to the hosts."""

import click

from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import why


@click.group(
    epilog="""\b
Examples:
  landfast rollout status
  landfast rollout pause --reason "not before the market closes"
  landfast rollout resume --reason "hall-1 was mended by hand"
  landfast policy rollback 6 --reason "version 7 cut off the resolver"
"""
)
def rollout() -> None:
    """The newest version on its way to the hosts, stage by stage. The controller's configuration has the stages."""


@rollout.command(
    epilog="""\b
Exit status: 0 it runs or is done, 1 it is paused or has halted.

\b
Examples:
  landfast rollout status
  landfast rollout status --json | jq '.hosts[] | select(.proved | not) | [.name, .note]'
"""
)
@as_json_option
def status(as_json: bool) -> None:
    """How far it has come, what it waits for, and each host: its version, whether it is proved, and since when."""
    import sys

    from landfast.v1.rollout_pb2 import Rollout
    from landfast_cli import output, rollouts
    from landfast_cli.session import session

    with session() as current:
        found = rollouts.fetch(current)
    if as_json:
        output.document(rollouts.document(found))
    else:
        click.echo(rollouts.description(found))
        output.table(rollouts.HEADINGS, map(rollouts.row, found.hosts))
    if found.state in (Rollout.STATE_PAUSED, Rollout.STATE_HALTED):
        sys.exit(1)


@rollout.command(
    epilog="""\b
Examples:
  landfast rollout pause --reason "not before the market closes"
"""
)
@why
def pause(reason: str) -> None:
    """No further host gets the version; those that have it keep it."""
    from landfast.v1.rollout_pb2 import PauseRolloutRequest
    from landfast_cli import rollouts
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.rollouts.PauseRollout(PauseRolloutRequest(reason=reason), timeout=TIMEOUT_S).rollout
    click.echo(rollouts.line(found))


@rollout.command(
    epilog="""\b
Examples:
  landfast rollout resume --reason "hall-1 was mended by hand"
"""
)
@why
def resume(reason: str) -> None:
    """Go on with a rollout that was paused or has halted.

    What is wrong now halts it no more: hosts that have failed or are lost are set aside, and where denials have jumped
    they are taken as wanted, on all hosts.
    """
    from landfast.v1.rollout_pb2 import ResumeRolloutRequest
    from landfast_cli import rollouts
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.rollouts.ResumeRollout(ResumeRolloutRequest(reason=reason), timeout=TIMEOUT_S).rollout
    click.echo(rollouts.line(found))

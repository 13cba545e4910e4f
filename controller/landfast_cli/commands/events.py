"""`landfast events`: the stream of events."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from landfast.v1.audit_pb2 import SubscribeRequest
    from landfast_cli.matching import Filter


@click.group(
    epilog="""\b
Examples:
  landfast events follow
"""
)
def events() -> None:
    """What happened on the hosts, and what was done to the deployment."""


@events.command(
    epilog="""\b
With --class, --verdict, --destination or --process only decisions and executions
are shown; without them also what agents and people did. Times are UTC. When it
ends, the index to continue at is told on standard error.

\b
Examples:
  landfast events follow
  landfast events follow --from 2h --verdict denied --host hall-1
  landfast events follow --destination 203.0.113.0/24 --process rsync
  landfast events follow --from 4711 --format json >> evidence.jsonl
  landfast events follow --from 4711 --format ocsf | my-siem-shipper
  landfast events follow --from 2026-11-01T00:00:00Z --no-follow --class eea-user-data
"""
)
@click.option("--from", "start", metavar="WHERE", help="Log index, time (RFC 3339), or how long ago (2h).")
@click.option("--follow/--no-follow", default=True, help="Wait for what comes, or end at the newest. [default: follow]")
@click.option("--class", "classes", multiple=True, metavar="CLASS", help="Only events of this class. Repeatable.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Only events of this host. Repeatable.")
@click.option("--verdict", type=click.Choice(("denied", "allowed")), help="Only these decisions.")
@click.option("--destination", "destinations", multiple=True, metavar="PREFIX", help="Only to there. Repeatable.")
@click.option("--process", "processes", multiple=True, metavar="NAME", help="Only of this command. Repeatable.")
@click.option("--canary", is_flag=True, help="Also what the hosts' own canaries were refused.")
@click.option("--heartbeats", is_flag=True, help="Also that a host had nothing to record for a minute.")
@click.option("--format", "form", type=click.Choice(("text", "json", "ocsf")), default="text", help="[default: text]")
def follow(
    *,
    start: str | None,
    follow: bool,
    classes: tuple[str, ...],
    hosts: tuple[str, ...],
    verdict: str | None,
    destinations: tuple[str, ...],
    processes: tuple[str, ...],
    canary: bool,
    heartbeats: bool,
    form: str,
) -> None:
    """Print events as they come, from now on or from where --from says.

    A broken connection is made anew, without loss or repetition. Ctrl-C ends it.
    When the log was pruned beyond --from, that is an error which names the index
    of its oldest entry.
    """
    import time

    from landfast import event
    from landfast_cli import following
    from landfast_cli.matching import Filter, parse_destination

    prefixes = tuple(map(parse_destination, destinations))
    request = following.request(start, follow, time.time())
    request.hosts.extend(hosts)
    request.classes.extend(classes)
    request.destinations.extend(destinations)
    request.processes.extend(processes)
    if verdict:
        request.verdicts = request.Verdicts.Value(f"VERDICTS_{verdict.upper()}")
    commands = frozenset(map(event.comm, processes))
    wanted = Filter(frozenset(classes), verdict, prefixes, commands, canary, heartbeats)
    _print(request, wanted, form, rest=start is None)


def _print(request: "SubscribeRequest", wanted: "Filter", form: str, *, rest: bool) -> None:
    """Prints what comes. An entry that has been begun is finished before a signal ends it."""
    import signal

    from landfast_cli import following, output, printing
    from landfast_cli.session import session

    with session() as current:
        follower = following.Follower(current, request, output.note, rest=rest)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: follower.stop())
        for response in follower.entries():
            for line in printing.PRINTERS[form](response, wanted):
                click.echo(line)
        if follower.next is not None:
            output.note(f"continue with --from {follower.next}")

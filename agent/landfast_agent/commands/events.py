"""`landfast-agent events`: what this host has recorded."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import click

from landfast import batch, render
from landfast.batch import BatchView
from landfast.event import Event
from landfast.v1.batch_pb2 import Notice
from landfast.verdict import Verdict
from landfast_agent.instance import Instance
from landfast_agent.spool_file import history, last_sequence, path_in
from landfast_agent.words import require_root

_POLL_S = 0.2

Found = tuple[BatchView, int, Event | Notice]


def _new(instance: Instance, after: int) -> Iterator[Found]:
    """Events with a sequence number above `after`."""
    for data in history(path_in(instance.state), after):
        view = batch.decode(data)
        yield from ((view, sequence, item) for sequence, item in view if sequence > after)


@dataclass(frozen=True)
class _Filter:
    """What is wanted."""

    denied: bool
    canary: bool
    heartbeats: bool

    def __call__(self, found: Found) -> bool:
        view, _, item = found
        if (view.is_canary(item) and not self.canary) or (view.is_heartbeat(item) and not self.heartbeats):
            return False
        denied = isinstance(item, Event) and item.verdict in (Verdict.DENY, Verdict.WOULD_DENY)
        return denied or not self.denied


def _tail(instance: Instance, count: int, wanted: _Filter) -> list[Found]:
    """The last `count` events that are wanted (0: all), reading no further back than it takes."""
    top = last_sequence(path_in(instance.state))
    window = count or top
    while True:
        found = [each for each in _new(instance, max(top - window, 0)) if wanted(each)]
        if len(found) >= count > 0 or window >= top:
            return found[-count:] if count else found
        window *= 4


class _Printer:
    """Lines with a heading for each day, or JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json, self._day = as_json, ""

    def print(self, found: Found) -> None:
        view, sequence, item = found
        if self._as_json:
            click.echo(json.dumps(render.document(view, sequence, item)))
            return
        day = render.day(view, item)
        if day != self._day:
            click.echo(f"-- {day} (UTC)")
            self._day = day
        click.echo(render.line(view, item))


@click.command("events", short_help="Show this host's events.")
@click.option("--follow", "-f", is_flag=True, help="Go on with the events to come.")
@click.option(
    "--last",
    default=50,
    show_default=True,
    metavar="N",
    type=click.IntRange(min=0),
    help="Begin with the last N events; 0: all.",
)
@click.option("--denied", is_flag=True, help="Only what was denied, or would have been.")
@click.option("--canary", is_flag=True, help="Also what the agent's own canary was refused.")
@click.option("--heartbeats", is_flag=True, help="Also that there was nothing to record for a minute.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_obj
def command(
    instance: Instance, *, follow: bool, last: int, denied: bool, canary: bool, heartbeats: bool, as_json: bool
) -> None:
    """Shows events of this host in order, from its own spool. Works without the daemon and without the controller.

    \b
    Examples:
      landfast-agent events --denied
      landfast-agent events --follow --json | jq -r .remote
    """
    require_root()
    printer, newest = _Printer(as_json), last_sequence(path_in(instance.state))
    wanted = _Filter(denied, canary, heartbeats)
    for found in _tail(instance, last, wanted):
        printer.print(found)
        newest = max(newest, found[1])
    while follow:
        time.sleep(_POLL_S)
        for found in _new(instance, newest):
            newest = found[1]
            if wanted(found):
                printer.print(found)

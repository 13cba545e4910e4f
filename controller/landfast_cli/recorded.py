"""What the log recorded, read for replay and for suggestions."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from landfast import batch
from landfast.batch import BatchError, BatchView
from landfast.flows import Omission, Omitted, Sighting, sightings
from landfast.v1.audit_pb2 import SubscribeRequest, SubscribeResponse
from landfast_cli import output
from landfast_cli.errors import CouldNotError
from landfast_cli.following import Follower
from landfast_cli.session import Session

_WORDS = {
    Omission.CANARY: "what canaries were refused",
    Omission.NOT_JUDGED: "what no allowlist judges (system calls, socket families, executions)",
    Omission.AGENT: "the agent's own socket",
    Omission.FOLDED: "kept as counts alone, since a host's spool was full",
}


def read(session: Session, request: SubscribeRequest, omitted: Omitted) -> Iterator[Sighting]:
    """The sightings of the log, oldest first. What is left out is counted in `omitted`; progress on a terminal.

    Of a log that is pruned the rest is read, and from when on there is anything is told.
    """
    follower = Follower(session, request, output.note, rest=True)
    with _progress() as show:
        for count, response in enumerate(follower.entries(), 1):
            if response.WhichOneof("entry") == "batch":
                yield from sightings(_decoded(response), omitted)
            show(count, response)


def note_omitted(omitted: Omitted) -> None:
    """Says on standard error what was left out."""
    told = ", ".join(f"{count} {_WORDS[reason]}" for reason, count in sorted(omitted.items()))
    if told:
        output.note(f"left out: {told}")


def note_beyond(beyond: int, most: int) -> None:
    """Says that memory is bounded, when it mattered."""
    if beyond:
        output.note(f"{beyond} decisions are of flows beyond the first {most}: only counted; choose a shorter --since")


def _decoded(response: SubscribeResponse) -> BatchView:
    try:
        return batch.decode(response.batch)
    except BatchError as error:
        raise CouldNotError(f"log entry {response.index}: {error}; use a landfast as new as the agents") from None


@contextmanager
def _progress() -> Iterator[Callable[[int, SubscribeResponse], None]]:
    """A line that tells how far the reading is, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading the log") as status:
        yield lambda count, last: status.update(f"reading the log: {count} entries, up to {output.time(last.received)}")

"""`landfast audit verify`: what is found, for people and for programs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landfast import event_key
from landfast.audit.findings import Finding, Verdict
from landfast.audit.host import Host
from landfast.audit.integrity import Integrity
from landfast.audit.review import Expected, Review, Taken
from landfast.audit.versions import InForce
from landfast.event import printable
from landfast.event_key import EventKeyError
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.tiles import CHECKPOINT
from landfast.tlog.tree import Read, Tree
from landfast_cli import output, witnessed
from landfast_cli.errors import BadInputError
from landfast_cli.witnessed import Coverage, Required

#: Findings that people are shown of each verdict.
_SHOWN = 20

#: Entries between two steps of the progress bar.
_STEP = 64

_NO_WITNESS = Required()
_NO_COVERAGE = Coverage(_NO_WITNESS)


@dataclass(frozen=True)
class Result:
    """Both verdicts. Without a checkpoint there was nothing to verify."""

    checkpoint: Checkpoint | None
    integrity: Verdict
    review: Review
    coverage: Coverage = _NO_COVERAGE

    @property
    def holds(self) -> bool:
        return self.integrity.holds and self.review.completeness.holds


#: Is given the entries one by one; who gives one of these is asked anew each time that the reading begins.
See = Callable[[Taken], None]
Audience = Callable[[], See]


def _nobody() -> See:
    """For who wants the verdicts alone."""
    return lambda _: None


def verify(
    read: Read,
    key: VerifierKey,
    expected: Expected,
    progress: Callable[[int, int], None],
    *,
    required: Required = _NO_WITNESS,
    audience: Audience = _nobody,
) -> Result:
    """Reads all that there is of the log by its newest checkpoint; again when it was pruned meanwhile.

    Each reading has an audience of its own, which sees the entries that nothing is found against.
    """
    try:
        checkpoint = Checkpoint.open(read(CHECKPOINT), key)
    except TlogError as error:
        broken = Verdict()
        broken.add(Finding("checkpoint", str(error), CHECKPOINT))
        return Result(None, broken, Review(broken, expected))
    while True:
        result = _verified(checkpoint, read, expected, progress, audience())
        if result.integrity.holds or Integrity(checkpoint, read).begin <= result.review.begin:
            break
    coverage = witnessed.coverage(read, key, required, checkpoint, lambda size: Tree(checkpoint, read).root_of(0, size))
    for finding in [*coverage.findings(), *_uncovered(coverage, checkpoint, result.review.newest_ns, expected)]:
        result.integrity.add(finding)
    return replace(result, coverage=coverage)


def _verified(
    checkpoint: Checkpoint, read: Read, expected: Expected, progress: Callable[[int, int], None], see: See
) -> Result:
    integrity = Integrity(checkpoint, read)
    review = Review(integrity.verdict, expected, integrity.begin)
    for index, entry in integrity.entries():
        if taken := review.take(index, entry):
            see(taken)
        if index % _STEP == 0:
            progress(index, checkpoint.size)
    review.end()
    return Result(checkpoint, integrity.verdict, review)


def _uncovered(coverage: Coverage, newest: Checkpoint, newest_ns: int, expected: Expected) -> Iterator[Finding]:
    """The log goes on, and nobody has cosigned for long: the witness is silent, or was shown another history."""
    last = coverage.covering
    if last and last.checkpoint.size < newest.size:
        behind_s = newest_ns // 10**9 - last.time_s
        if behind_s > expected.silent_after_s:
            text = f"{last.witness.name} has cosigned only the first {last.checkpoint.size} of {newest.size} entries"
            yield Finding("witness", f"{text}; the log still grew {behind_s} s later", index=last.checkpoint.size)


def roster(file: Path | None) -> dict[str, frozenset[bytes]] | None:
    """Names of hosts, a line for each, with the event keys that it has or had; what follows a `#` is a comment."""
    if file is None:
        return None
    try:
        lines = [line.partition("#")[0].strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"roster {file}: {error}; name a file with the name of a host in each line") from None
    hosts: dict[str, frozenset[bytes]] = {}
    for number, (name, *keys) in ((number, line.split()) for number, line in enumerate(lines, 1) if line):
        try:
            hosts[name] = hosts.get(name, frozenset()) | frozenset(map(event_key.parse, keys))
        except EventKeyError as error:
            raise BadInputError(f"roster {file}, line {number}: {error}; a line is NAME or NAME KEY") from None
    return hosts


def document(result: Result) -> dict[str, Any]:
    checkpoint = result.checkpoint
    return {
        "checkpoint": checkpoint
        and {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
        "witnesses": result.coverage.document() if result.coverage.required.keys else None,
        "integrity": result.integrity.document(),
        "completeness": result.review.completeness.document() if checkpoint else None,
        "begin": result.review.begin,
        "events": result.review.events,
        "newest": _time(result.review.newest_ns),
        "hosts": {printable(host.name): _host_document(host) for host in result.review.hosts.values()},
    }


def _host_document(host: Host) -> dict[str, Any]:
    return {
        "first_sequence": host.first,
        "last_sequence": host.last,
        "batches": host.batches,
        "events": host.events,
        "folded": host.account.folded,
        "lost": host.account.lost,
        "banned": host.banned,
        "own_policy": _own_policy(host.in_force),
        "event_keys": sorted(map(event_key.text, host.keys)),
        "keys_from": "roster" if host.own_keys else "log" if host.keys else None,
        "rekeyed": host.rekeyed,
        "unstated": host.unstated,
        "promised": host.promised,
        "newest": _time(host.received_ns),
    }


def _own_policy(found: InForce) -> dict[str, Any] | None:
    """The one that it had when it was enrolled, if it was none of the log's."""
    return found.own and {"version": found.own[0], "digest": found.own[1].hex(), "in_force": found.is_own}


def show(result: Result) -> None:
    """Hosts, then both verdicts with their first findings."""
    import click

    if result.checkpoint:
        _show_hosts(result.checkpoint, result.review)
    if covering := result.coverage.covering:
        by = ", ".join(map(str, result.coverage.right))
        click.echo(f"witnessed: the first {covering.checkpoint.size} entries; {by}")
        for each in result.coverage.missing:
            click.echo(f"  not needed: {each.text}")
    _show_verdict("integrity", result.integrity, "every entry leads to the root that the log has signed")
    if result.checkpoint:
        _show_verdict("completeness", result.review.completeness, "no gap, no loss, every host reports")


def _show_hosts(checkpoint: Checkpoint, review: Review) -> None:
    import click

    newest = f"the newest stored {_time(review.newest_ns)} UTC; " if review.newest_ns else ""
    told = f"{newest}hosts: {len(review.hosts)}, events: {review.events}"
    click.echo(f"{checkpoint.origin}: {checkpoint.size} entries; {told}")
    if review.begin:
        click.echo(f"entries below {review.begin} are pruned: what follows is about those from there on")
    if review.hosts:
        headings = ("host", "sequence", "events", "folded", "lost", "newest (UTC)")
        output.table(headings, [_row(review.hosts[name]) for name in sorted(review.hosts)])
    if own := [host for host in review.hosts.values() if host.in_force.is_own]:
        told = _listed(own, lambda host: printable(host.name))
        click.echo(f"{len(own)} hosts have had no policy of the log yet, but one of their own: {told}")
    if review.trusting:
        click.echo(_trusting(review.trusting))
    if review.unstated:
        click.echo(_unstated(review.unstated))
    if review.before:
        click.echo(_before(review.before))


def _trusting(hosts: list[Host]) -> str:
    """Whose signatures prove no more than the log does."""
    told = _listed(hosts, _with_change)
    return f"keys of {len(hosts)} hosts are the log's word (better put them into the roster): {told}"


def _unstated(hosts: list[Host]) -> str:
    """Of whom nobody knows what is left out before the first batch."""
    told = _listed(hosts, lambda host: f"{printable(host.name)} (index {host.unstated})")
    return (
        f"{len(hosts)} hosts have not said where they begin (older agents), nothing tells what is before that: {told}"
    )


def _before(hosts: list[Host]) -> str:
    """Who has something that this log need not have, and may be meant not to have."""
    told = _listed(hosts, lambda host: f"{printable(host.name)} (sequence {host.promised} to {host.first - 1})")
    return f"{len(hosts)} hosts were enrolled before, what they recorded then is another log's, if there is one: {told}"


def _listed(hosts: list[Host], name: Callable[[Host], str]) -> str:
    """The first names of them."""
    names = [name(host) for host in sorted(hosts, key=lambda host: host.name)]
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _with_change(host: Host) -> str:
    if not host.keys:
        return f"{printable(host.name)} (none: its enrolment is pruned, so that nothing proves its batches)"
    changed = f" (another one since index {host.rekeyed})" if host.rekeyed is not None else ""
    return printable(host.name) + changed


def _row(host: Host) -> list[str]:
    numbers = f"{host.first}-{host.last}" if host.batches else "-"
    counts = (str(number) for number in (host.events, host.account.folded, host.account.lost))
    return [printable(host.name), numbers, *counts, _time(host.received_ns) or "-"]


def _show_verdict(name: str, verdict: Verdict, promise: str) -> None:
    import click

    click.echo(f"{name}: {promise}" if verdict.holds else f"{name}: NOT verified, findings: {verdict.count}")
    for finding in verdict.findings[:_SHOWN]:
        click.echo(f"  {place(finding)}: {finding.kind}: {finding.text}")
    if verdict.count > _SHOWN:
        click.echo(f"  and {verdict.count - _SHOWN} more; --json tells the first {len(verdict.findings)}")


def place(finding: Finding) -> str:
    """`index 14, host hall-1, sequence 9`, as far as there is a place."""
    parts = (
        f"index {finding.index}" if finding.index is not None else finding.path,
        finding.host and f"host {finding.host}",
        f"sequence {finding.sequence}" if finding.sequence is not None else "",
    )
    return ", ".join(filter(None, parts))


def _time(unix_ns: int) -> str | None:
    return datetime.fromtimestamp(unix_ns / 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S") if unix_ns else None


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)

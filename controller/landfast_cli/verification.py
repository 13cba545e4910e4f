"""`landfast audit verify`: what is found, for people and for programs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landfast.audit.findings import Finding, Verdict
from landfast.audit.host import Host
from landfast.audit.integrity import Integrity
from landfast.audit.review import Expected, Review
from landfast.event import printable
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


def verify(
    read: Read,
    key: VerifierKey,
    expected: Expected,
    progress: Callable[[int, int], None],
    required: Required = _NO_WITNESS,
) -> Result:
    """Reads the whole log by its newest checkpoint."""
    try:
        checkpoint = Checkpoint.open(read(CHECKPOINT), key)
    except TlogError as error:
        broken = Verdict()
        broken.add(Finding("checkpoint", str(error), CHECKPOINT))
        return Result(None, broken, Review(broken, expected))
    integrity = Integrity(checkpoint, read)
    review = Review(integrity.verdict, expected)
    for index, entry in integrity.entries():
        review.take(index, entry)
        if index % _STEP == 0:
            progress(index, checkpoint.size)
    review.end()
    coverage = witnessed.coverage(read, key, required, checkpoint, lambda size: Tree(checkpoint, read).root_of(0, size))
    for finding in [*coverage.findings(), *_uncovered(coverage, checkpoint, review.newest_ns, expected)]:
        integrity.verdict.add(finding)
    return Result(checkpoint, integrity.verdict, review, coverage)


def _uncovered(coverage: Coverage, newest: Checkpoint, newest_ns: int, expected: Expected) -> Iterator[Finding]:
    """The log goes on, and nobody has cosigned for long: the witness is silent, or was shown another history."""
    last = coverage.covering
    if last and last.checkpoint.size < newest.size:
        behind_s = newest_ns // 10**9 - last.time_s
        if behind_s > expected.silent_after_s:
            text = (
                f"only the first {last.checkpoint.size} of {newest.size} entries are cosigned, and {behind_s} s after"
            )
            yield Finding("witness", f"{text} {last.witness.name} the log still grew", index=last.checkpoint.size)


def roster(file: Path | None) -> frozenset[str] | None:
    """Names of hosts, a line for each; what follows a `#` is a comment."""
    if file is None:
        return None
    try:
        lines = [line.partition("#")[0].strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(f"roster {file}: {error}; name a file with the name of a host in each line") from None
    return frozenset(filter(None, lines))


def document(result: Result) -> dict[str, Any]:
    checkpoint = result.checkpoint
    return {
        "checkpoint": checkpoint
        and {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
        "witnesses": result.coverage.document() if result.coverage.required.keys else None,
        "integrity": result.integrity.document(),
        "completeness": result.review.completeness.document() if checkpoint else None,
        "events": result.review.events,
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
        "newest": _time(host.received_ns),
    }


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

    click.echo(f"{checkpoint.origin}: {checkpoint.size} entries; hosts: {len(review.hosts)}, events: {review.events}")
    if review.hosts:
        headings = ("host", "sequence", "events", "folded", "lost", "newest (UTC)")
        output.table(headings, [_row(review.hosts[name]) for name in sorted(review.hosts)])


def _row(host: Host) -> list[str]:
    numbers = f"{host.first}-{host.last}" if host.batches else "-"
    counts = (str(number) for number in (host.events, host.account.folded, host.account.lost))
    return [printable(host.name), numbers, *counts, _time(host.received_ns) or "-"]


def _show_verdict(name: str, verdict: Verdict, promise: str) -> None:
    import click

    click.echo(f"{name}: {promise}" if verdict.holds else f"{name}: NOT verified, findings: {verdict.count}")
    for finding in verdict.findings[:_SHOWN]:
        click.echo(f"  {_place(finding)}: {finding.kind}: {finding.text}")
    if verdict.count > _SHOWN:
        click.echo(f"  and {verdict.count - _SHOWN} more; --json tells the first {len(verdict.findings)}")


def _place(finding: Finding) -> str:
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

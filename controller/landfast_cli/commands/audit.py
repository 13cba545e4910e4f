"""`landfast audit`: the log, checked without trusting who keeps it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landfast_cli.commands.log_options import Directory as _Directory
from landfast_cli.commands.log_options import judged as _judged
from landfast_cli.commands.log_options import key as _key
from landfast_cli.commands.log_options import known as _known
from landfast_cli.commands.log_options import witnesses as _witnesses
from landfast_cli.commands.options import File
from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.witness import witness

if TYPE_CHECKING:
    from landfast.tlog.tree import Read
    from landfast_cli.witnessed import Required

_offline = click.option(
    "--offline", type=_Directory, metavar="DIR", help="Read this directory of tiles, not the controller."
)

_hosts = click.option(
    "--hosts", type=File, metavar="F", help="Who should report: NAME or NAME KEY a line. [default: all]"
)
_silent_after = click.option(
    "--silent-after", default="1h", show_default=True, metavar="DURATION", help="When a host, or a witness, is silent."
)


@click.group(
    epilog="""\b
Examples:
  landfast audit mirror ./log --key log.pub
  landfast audit verify --key log.pub --offline ./log --hosts roster.txt
  landfast audit report --from 2026-10-01 --to 2026-11-01 --hosts roster.txt --out october.pdf
  landfast audit prove 4711 --out incident.tlog-proof
  landfast audit check-proof incident.tlog-proof --key log.pub
  landfast audit witness run ./witness --key log.pub
"""
)
def audit() -> None:
    """The transparency log: copied, verified, proved. Needs the log's key, and nobody's word."""


@audit.command(
    epilog="""\b
Exit status: 0 the copy is as new as the log, 1 the log is not the one that is
here (cut, forked, altered) or is pruned beyond it, 2 usage, 3 the controller
cannot be reached.

\b
Examples:
  landfast audit mirror ./log --key log.pub
  landfast audit mirror /srv/www/log && landfast audit verify --offline /srv/www/log
"""
)
@click.argument("directory", type=_Directory)
@_key
@_witnesses
def mirror(directory: Path, key: Path | None, required: "Required") -> None:
    """Copy what is new of the log to DIRECTORY, every entry verified on the way.

    It goes on where it ended, and keeps what the controller prunes. DIRECTORY
    has the layout of c2sp.org/tlog-tiles: any web server can publish it. Whether
    hosts have signed their batches, and whether any is missing, tells
    `landfast audit verify --offline DIRECTORY`.
    """
    from landfast_cli.mirroring import Mirror
    from landfast_cli.verification import progress_bar

    with _judged(), _reading(None) as read, progress_bar("copying the log") as progress:
        copy = Mirror(directory, _known(key))
        newest = copy.update(read, progress)
        coverage = copy.keep_cosigned(read, required)
    click.echo(f"{directory}: {newest.size} entries of {newest.origin}, root {newest.root.hex()}")
    if copy.oldest:
        click.echo(f"it begins at index {copy.oldest}: what was before had been pruned when this copy was begun")
    with _judged():
        coverage.check()
    for each in coverage.right:
        click.echo(f"cosigned by {each}")


@audit.command(
    epilog="""\b
Exit status: 0 both verdicts hold, 1 at least one does not, 2 usage,
3 the log cannot be read.

\b
Examples:
  landfast audit verify
  landfast audit verify --key log.pub --offline ./log --hosts roster.txt --silent-after 10m
  landfast audit verify --witness partner.pub --witness other.pub --witnesses-needed 1
  landfast audit verify --json | jq '.completeness.findings[] | [.kind, .host, .sequence]'
"""
)
@_key
@_offline
@_hosts
@_silent_after
@_witnesses
@as_json_option
def verify(
    key: Path | None,
    offline: Path | None,
    hosts: Path | None,
    silent_after: str,
    *,
    required: "Required",
    as_json: bool,
) -> None:
    """Read the whole log, and say whether it is altered, and whether anything is missing.

    Integrity: every entry leads to the root that the log has signed, and the
    hosts' batches to each other; each is signed by its host. A host's event key
    is the one in the roster, else the log's word. Completeness: no gap, no loss,
    no silent host, no policy on a host that the log has not recorded. What is
    pruned was announced in the log, and old enough by its policy.
    """
    import sys

    from landfast.audit.review import Expected
    from landfast_cli import output, times, verification

    expected = Expected(verification.roster(hosts), times.seconds(silent_after))
    known = _known(key)
    with _reading(offline) as read, verification.progress_bar("verifying the log") as progress:
        result = verification.verify(read, known, expected, progress, required=required)
    if as_json:
        output.document(verification.document(result))
    else:
        verification.show(result)
    if not result.holds:
        sys.exit(1)


@audit.command(
    epilog="""\b
Exit status: 0 written, both verdicts hold, 1 written, at least one does not
(the report says so), 2 usage, 3 the log cannot be read, a library is missing.

\b
Examples:
  landfast audit report --from 2026-10-01 --to 2026-11-01 --hosts roster.txt --out october.pdf
  landfast audit report --from 2026-10-01 --to 2026-11-01 --offline ./log --key log.pub --out a.html --out a.pdf
  landfast audit report --from 2026-11-23T14:00:00Z --to 2026-11-23T15:00:00Z --json | jq .denials.rows
"""
)
@click.option("--from", "begin", required=True, metavar="T", help="First day (UTC), or time (RFC 3339).")
@click.option("--to", "end", required=True, metavar="T", help="First day, or moment, that is no more part of it.")
@click.option("--out", "outs", type=File, multiple=True, metavar="F", help="New .html or .pdf; may be given again.")
@_key
@_offline
@_hosts
@_silent_after
@_witnesses
@as_json_option
def report(
    *,
    begin: str,
    end: str,
    outs: tuple[Path, ...],
    key: Path | None,
    offline: Path | None,
    hosts: Path | None,
    silent_after: str,
    required: "Required",
    as_json: bool,
) -> None:
    """Verify the whole log, and write down what it proves about a period.

    Verdicts, coverage of the fleet, flows by class and destination, denials,
    incidents, changes of policy and who approved them. Everything comes from
    the log: whoever has a copy and the key makes the same report.
    """
    import sys

    from landfast.audit.review import Expected
    from landfast_cli import output, times, verification
    from landfast_cli.report import output as outputs
    from landfast_cli.report.document import document
    from landfast_cli.report.gathering import Gathering
    from landfast_cli.report.period import Period

    if not outs and not as_json:
        raise click.UsageError("name a file with --out, or print the data with --json")
    chosen, found = outputs.writers(outs), Gathering(Period.parse(begin, end), times.seconds(silent_after))
    expected, known = Expected(verification.roster(hosts), times.seconds(silent_after)), _known(key)
    with _reading(offline) as read, verification.progress_bar("verifying the log") as progress:
        result = verification.verify(read, known, expected, progress, required=required, audience=found.begin)
    found.end()
    made = document(result, found, known, expected.hosts)
    outputs.write(made, chosen)
    if as_json:
        output.document(made)
    if not result.holds:
        sys.exit(1)


@audit.command(
    epilog="""\b
Examples:
  landfast audit prove 4711 --out incident.tlog-proof
  landfast audit prove 4711 --out incident.tlog-proof --offline ./log --key log.pub
"""
)
@click.argument("index", type=click.IntRange(min=0))
@click.option("--out", type=File, required=True, help="New file for the proof.")
@_key
@_offline
@_witnesses
def prove(index: int, out: Path, key: Path | None, offline: Path | None, required: "Required") -> None:
    """Write a proof (c2sp.org/tlog-proof) that the entry at INDEX is in the log, with the entry."""
    from landfast_cli import files, proving

    with _judged(), _reading(offline) as read:
        proof = proving.prove(read, _known(key), index, required)
    files.write_new(out, proof.encode().decode())
    click.echo(f"{out}; who has the log's key checks it with: landfast audit check-proof {out} --key log.pub")


@audit.command(
    "check-proof",
    epilog="""\b
Needs no controller and no log. Exit status: 0 proved, 1 not, 2 usage, 3 FILE
cannot be read.

\b
Examples:
  landfast audit check-proof incident.tlog-proof --key log.pub
  landfast audit check-proof incident.tlog-proof --key log.pub --host-key 36XBz...=
""",
)
@click.argument("file", type=File)
@_key
@click.option("--host-key", metavar="KEY", help="The host's event key: its batch must be signed by it.")
@_witnesses
def check_proof(file: Path, key: Path | None, host_key: str | None, required: "Required") -> None:
    """Check a proof, and print the events of its entry."""
    from landfast.tlog.proof import Proof
    from landfast_cli import log_sources, proving

    content = log_sources.given(file)
    with _judged():
        proof = Proof.decode(content)
        checkpoint = proof.check(_known(key))
        for line in proving.lines(proof, checkpoint, required.check(proof.note), _host_key(host_key)):
            click.echo(line)


@contextmanager
def _reading(offline: Path | None) -> "Iterator[Read]":
    from landfast_cli import log_sources
    from landfast_cli.session import session

    if offline:
        yield log_sources.directory(offline)
        return
    with session() as current:
        yield log_sources.controller(current)


def _host_key(key: str | None) -> bytes | None:
    from landfast import event_key
    from landfast_cli.errors import BadInputError

    try:
        return None if key is None else event_key.parse(key)
    except event_key.EventKeyError as error:
        raise BadInputError(f"--host-key {error}") from None


audit.add_command(witness)

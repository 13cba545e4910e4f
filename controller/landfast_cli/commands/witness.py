"""`landfast audit witness`: cosigning, so that a log cannot show different histories to different people."""

from pathlib import Path

import click

from landfast_cli.commands import log_options
from landfast_cli.commands.log_options import Directory
from landfast_cli.commands.options import File


@click.group(
    epilog="""\b
Examples:
  landfast audit witness create ./witness --name partner.example/w1
  landfast audit witness run ./witness --key log.pub                         # only outgoing connections
  landfast audit witness serve ./witness --key log.pub --listen [::]:7444    # logs ask it over HTTP
"""
)
def witness() -> None:
    """Cosign checkpoints of a log, each only if it is proved to go on from the one before (c2sp.org/tlog-witness).

    Auditors who ask for cosignatures (--witness) are then shown the history
    that you have seen, or none.
    """


@witness.command(
    epilog="""\b
Examples:
  landfast audit witness create /var/lib/landfast-witness --name partner.example/w1
"""
)
@click.argument("directory", type=Directory)
@click.option("--name", required=True, help="Under which it cosigns: an address of yours, without https://.")
def create(directory: Path, name: str) -> None:
    """Make a witness in DIRECTORY, and print its key, which the controller and auditors are to know.

    DIRECTORY will hold what was cosigned, beside the private key. Never restore
    it from a backup: make another witness.
    """
    from landfast_cli.witness import home

    click.echo(home.create(directory, name))


@witness.command(
    epilog="""\b
Exit status: 0 cosigned, 1 the log does not go on from what was cosigned, 2 usage,
3 the controller cannot be reached, or names no witness yet (without --once that
is tried again).

\b
Examples:
  landfast audit witness run ./witness --key log.pub
  landfast audit witness run ./witness --key log.pub --once
"""
)
@click.argument("directory", type=Directory)
@log_options.key
@click.option("--once", is_flag=True, help="Cosign what there is now, and end.")
@click.option("--every", default="30s", show_default=True, metavar="DURATION", help="How often to look.")
def run(directory: Path, key: Path | None, once: bool, every: str) -> None:
    """Fetch from the controller what is to be cosigned, and hand it the cosignature.

    Takes an identity as auditor (`landfast login`), and no port of this machine.
    """
    from landfast_cli import times
    from landfast_cli.errors import BadInputError, CliError
    from landfast_cli.session import session
    from landfast_cli.witness import home, pulling
    from landfast_cli.witness.judge import Witness

    pause_s, log = times.seconds(every), log_options.known(key)
    if not pause_s:
        raise BadInputError("--every: 0s; 30s is the default")
    with home.opened(directory) as cosigner, session() as current, log_options.judged():
        made, told = Witness(directory, cosigner, [log]), None
        for found in pulling.pulling(current, made, log, pause_s):
            if isinstance(found, CliError):
                if once:
                    raise found
                click.echo(f"landfast: {found}; it is tried again", err=True)
            elif found != told:
                click.echo(f"{found.origin}: {found.size} entries, cosigned by {cosigner.name}")
                told = found
            if once:
                break


@witness.command(
    epilog="""\b
It speaks HTTP; where it is to be reached from far away put a proxy with TLS in
front. Whoever asks, only checkpoints that the log's key has signed are cosigned.

\b
Examples:
  landfast audit witness serve ./witness --key log.pub --listen [::]:7444
  landfast audit witness serve ./witness --key eu.pub --key us.pub --listen 127.0.0.1:7444
"""
)
@click.argument("directory", type=Directory)
@click.option("--key", "keys", type=File, metavar="F", multiple=True, required=True, help="A log's key (log.pub).")
@click.option("--listen", required=True, metavar="HOST:PORT", help="Port 0 takes a free one.")
def serve(directory: Path, keys: tuple[Path, ...], listen: str) -> None:
    """Answer logs that ask for cosignatures: POST /add-checkpoint, and nothing else."""
    from landfast_cli.witness import home, server
    from landfast_cli.witness.judge import Witness

    logs = [log_options.known(key) for key in keys]
    with home.opened(directory) as cosigner, server.listening(listen, Witness(directory, cosigner, logs)) as made:
        click.echo(f"{cosigner.name} listens on {made.address}")
        made.serve_forever()

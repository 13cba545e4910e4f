"""`landfast key`: signing keys."""

from pathlib import Path

import click

from landfast_cli.commands.options import File


@click.group(
    epilog="""\b
Examples:
  landfast key create alice.key
  landfast key show alice.key
"""
)
def key() -> None:
    """Keys with which people sign: approvals, and root metadata. They never leave their file."""


@key.command(
    epilog="""\b
Examples:
  landfast key create alice.key
  LANDFAST_PASSPHRASE="$(pass landfast)" landfast key create alice.key
"""
)
@click.argument("file", type=File)
@click.option("--no-passphrase", is_flag=True, help="Leave it unprotected: for tests, and for machines that sign.")
def create(file: Path, no_passphrase: bool) -> None:
    """Make an Ed25519 key in the new FILE, protected by a passphrase, and print its public half."""
    from landfast_cli import signing

    made = signing.create(file, protected=not no_passphrase)
    click.echo(made.public_key.keyval["public"])


@key.command(
    epilog="""\b
Examples:
  landfast key show alice.key
"""
)
@click.argument("file", type=File)
def show(file: Path) -> None:
    """Print the public half: 64 hexadecimal digits, which `landfast trust draft` takes."""
    from landfast_cli import signing

    click.echo(signing.load(file).public_key.keyval["public"])

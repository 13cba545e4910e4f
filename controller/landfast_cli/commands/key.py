"""`landfast key`: signing keys."""

from pathlib import Path

import click

from landfast_cli.commands.options import File


@click.group(
    epilog="""\b
Examples:
  landfast key create alice.key
  landfast key show alice.key
  landfast key change-passphrase alice.key
"""
)
def key() -> None:
    """Keys with which people sign: approvals, and root metadata. They never leave their file, or their token.

    Passphrases are asked for on a terminal. Programs give them by LANDFAST_PASSPHRASE, or line by line by
    `landfast --passphrase-fd N`; the PIN of a token by LANDFAST_PIN, or in the same way.
    """


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
    from landfast.trust import keys
    from landfast_cli import signing

    made = signing.create(file, protected=not no_passphrase)
    click.echo(keys.public_text(made.public_key))


@key.command(
    epilog="""\b
Examples:
  landfast key show alice.key
  landfast key show 'pkcs11:token=alice;id=%02?module-path=/usr/lib/softhsm/libsofthsm2.so'
"""
)
@click.argument("key", metavar="KEY")
def show(key: str) -> None:
    """Print the public half of KEY, a file or a PKCS#11 URI: hexadecimal digits, which `landfast trust draft` takes."""
    from landfast.trust import keys
    from landfast_cli import signing

    click.echo(keys.public_text(signing.load(key).public_key))


@key.command(
    epilog="""\b
Examples:
  landfast key change-passphrase alice.key
  landfast key change-passphrase alice.pem
  LANDFAST_PASSPHRASE=old LANDFAST_NEW_PASSPHRASE=new landfast key change-passphrase alice.key
  printf '%s\\n' old new | landfast --passphrase-fd 0 key change-passphrase alice.key
"""
)
@click.argument("file", type=File)
@click.option("--no-passphrase", is_flag=True, help="Leave it unprotected.")
def change_passphrase(file: Path, no_passphrase: bool) -> None:
    """Encrypt FILE, a signing key or an identity file, with another passphrase.

    Also for one that has none yet, like those that `landfast-controller init` makes.
    """
    from landfast_cli import signing

    signing.change_passphrase(file, protected=not no_passphrase)
    click.echo(f"{file} is {'not protected any more' if no_passphrase else 'protected by the new passphrase'}")

"""Signing keys in the hands of people."""

import os
import sys
from pathlib import Path

import click
from securesystemslib.signer import Signer

from landfast.trust import keys
from landfast.trust.errors import TrustError
from landfast_cli.errors import BadInputError, CouldNotError

PASSPHRASE = "LANDFAST_PASSPHRASE"  # noqa: S105  # the name of a variable


def load(path: Path) -> Signer:
    """The key in a file. Its passphrase comes from the environment, or is asked for on a terminal."""
    try:
        content, given = path.read_bytes(), os.environ.get(PASSPHRASE, "")
    except OSError as error:
        raise CouldNotError(
            f"key {path}: {error.strerror}; name the right file with --key or `landfast login`"
        ) from None
    try:
        is_encrypted = b"ENCRYPTED" in content.splitlines()[0] if content else False
        return keys.load(path, (given or _asked(path)) if is_encrypted else "")
    except TrustError as error:
        raise BadInputError(str(error)) from None


def create(path: Path, *, protected: bool) -> Signer:
    """Makes a key in a new file, with a passphrase from the environment or the terminal when it is to be protected."""
    passphrase = (os.environ.get(PASSPHRASE, "") or _asked(path, confirm=True)) if protected else ""
    try:
        return keys.create(path, passphrase)
    except TrustError as error:
        raise BadInputError(str(error)) from None
    except OSError as error:
        raise CouldNotError(f"key {path}: {error.strerror}; choose another file") from None


def _asked(path: Path, *, confirm: bool = False) -> str:
    if not sys.stdin.isatty():
        raise BadInputError(f"key {path}: its passphrase is needed; set {PASSPHRASE}, or use a terminal")
    return str(click.prompt(f"Passphrase of {path}", hide_input=True, confirmation_prompt=confirm, err=True))

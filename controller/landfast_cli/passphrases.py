"""Passphrases and PINs: from a file descriptor, else from the environment, else asked for on a terminal.

The descriptor (`landfast --passphrase-fd N`) is read line by line, one for each question: nothing of it is to be seen
in a list of processes, in an environment, or on a disk.
"""

import os
import sys

import click

from landfast_cli.errors import BadInputError

PASSPHRASE = "LANDFAST_PASSPHRASE"  # noqa: S105  # names of variables
NEW_PASSPHRASE = "LANDFAST_NEW_PASSPHRASE"  # noqa: S105
PIN = "LANDFAST_PIN"


def given(what: str, variable: str = PASSPHRASE, *, confirm: bool = False) -> str:
    """The passphrase of `what`. Raises BadInputError when nobody can be asked."""
    descriptor = click.get_current_context().find_root().params["passphrase_fd"]
    if descriptor is not None:
        return _line(descriptor, what)
    if found := os.environ.get(variable, ""):
        return found
    if not sys.stdin.isatty():
        raise BadInputError(f"{what} is needed; set {variable}, give --passphrase-fd, or use a terminal")
    return str(click.prompt(what[0].upper() + what[1:], hide_input=True, confirmation_prompt=confirm, err=True))


def _line(descriptor: int, what: str) -> str:
    """Byte by byte, so that the next line stays there for the next question."""
    found = b""
    try:
        while (byte := os.read(descriptor, 1)) not in (b"", b"\n"):
            found += byte
    except OSError as error:
        raise BadInputError(f"--passphrase-fd {descriptor}: {error.strerror}; open it for this program") from None
    if not found:
        raise BadInputError(f"--passphrase-fd {descriptor}: there is no line for {what}; write one for each question")
    return found.decode(errors="surrogateescape")

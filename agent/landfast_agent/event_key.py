"""The key by which this host signs its batches: a file in the state directory, made once.

It is not the key of the host's certificate: it stays the same when that is renewed and when the host is enrolled again,
and a host without a controller has one too. Nothing ever writes over it, and no other key takes the place of one that
is damaged: who audits this host knows it by this one.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from landfast.event_key import public_of, text
from landfast.identity import key_pem, sync_directory, write_private
from landfast_agent.errors import Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def path_in(state: Path) -> Path:
    return state / "event.key"


def obtain(path: Path) -> "Ed25519PrivateKey":
    """The key in the file, which is made when there is none. Raises what `read` raises, and OSError."""
    if not path.exists():
        _make(path)
    return read(path)


def read(path: Path) -> "Ed25519PrivateKey":
    """The key in the file (PKCS#8, PEM). Raises Unavailable when it is missing or damaged."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(path, str(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(path, "it is not an Ed25519 key")
    return key


def text_of(path: Path) -> str:
    """The public half for people; empty when there is no key yet. Raises what `read` raises."""
    return text(public_of(read(path))) if path.exists() else ""


def _unusable(path: Path, why: str) -> Unavailable:
    return Unavailable(
        f"event key {path}: {why}; batches wait, unsigned: restore the file from a backup, or, if the key is lost, "
        "move the file and the spool (spool.sqlite) beside it away and enrol this host again: its auditors will see "
        "that it has another key"
    )


def _make(path: Path) -> None:
    """Makes a key, durably. When somebody else is faster theirs is the key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    write_private(fresh, key_pem(Ed25519PrivateKey.generate()))
    try:
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    sync_directory(path.parent)

"""The directory of a witness: its key, and what it has cosigned. They stay together.

A witness that has lost what it cosigned would cosign another history under the same key. So neither is of use without
the other, and neither is to be restored from a backup: who has lost the directory makes another witness.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landfast.identity import write_private
from landfast.tlog.cosignature import Cosigner, WitnessKey
from landfast.tlog.errors import TlogError
from landfast_cli.errors import BadInputError, CouldNotError

PRIVATE, PUBLIC, _LOCK = "witness.key", "witness.pub", "lock"


def create(directory: Path, name: str) -> WitnessKey:
    """Makes a witness in a directory that holds none yet."""
    cosigner = Cosigner(name, Ed25519PrivateKey.generate())
    try:
        WitnessKey.parse(str(cosigner.verifier))
    except TlogError:
        raise BadInputError(
            f"name {name!r}: neither spaces nor + are possible; use one like partner.example/w1"
        ) from None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / PRIVATE).touch(0o600, exist_ok=False)
        write_private(directory / PUBLIC, f"{cosigner.verifier}\n".encode())
        write_private(directory / PRIVATE, _pem(cosigner.key))
    except FileExistsError:
        raise BadInputError(f"{directory} holds a witness; nothing is overwritten, choose another directory") from None
    except OSError as error:
        raise CouldNotError(f"{error.filename or directory}: {error.strerror}; choose another directory") from None
    return cosigner.verifier


@contextmanager
def opened(directory: Path) -> Iterator[Cosigner]:
    """The key, while nobody else uses the directory: two witnesses of one key could cosign two histories."""
    try:
        cosigner = _cosigner(directory)
        lock = (directory / _LOCK).open("a")
    except OSError as error:
        raise CouldNotError(
            f"{error.filename}: {error.strerror}; make a witness with `landfast audit witness create`"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CouldNotError(f"{directory}: another process is this witness; stop that one first") from None
        yield cosigner


def _cosigner(directory: Path) -> Cosigner:
    try:
        public = WitnessKey.parse((directory / PUBLIC).read_text())
        key = s.load_pem_private_key((directory / PRIVATE).read_bytes(), None)
    except (ValueError, TypeError) as error:
        raise BadInputError(f"the key of the witness in {directory}: {error}; make another witness") from None
    if not isinstance(key, Ed25519PrivateKey) or Cosigner(public.name, key).verifier != public:
        raise BadInputError(f"{directory}: {PRIVATE} and {PUBLIC} do not belong together; make another witness")
    return Cosigner(public.name, key)


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())

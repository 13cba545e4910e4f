"""Signing keys in the hands of people: in files, or on PKCS#11 tokens."""

from pathlib import Path
from typing import Any

from securesystemslib.signer import Signature, Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import Metadata

from landfast.identity import Bundle, IdentityError
from landfast.trust import keys
from landfast.trust.errors import TrustError
from landfast_cli import passphrases, tokens
from landfast_cli.errors import BadInputError, CliError, CouldNotError


def absolute(key: str) -> str:
    """A key so that it can be found from everywhere."""
    return key if key.startswith(tokens.SCHEME) else str(Path(key).expanduser().absolute())


def load(key: str | Path) -> Signer:
    """The key in a file, or the one that a PKCS#11 URI names. Asks for its passphrase, or PIN."""
    if str(key).startswith(tokens.SCHEME):
        return tokens.signer(str(key))
    path = Path(key).expanduser()
    try:
        return keys.load(path, _passphrase(path, _first_line(path)))
    except TrustError as error:
        raise BadInputError(str(error)) from None


def sign(made: Metadata[Any], signer: Signer) -> Signature:
    """Adds a signature to metadata. Raises CouldNotError when a token refuses."""
    try:
        return made.sign(signer, append=True)
    except UnsignedMetadataError as error:
        cause = error.__cause__
        if isinstance(cause, CliError):  # nobody could be asked for the PIN
            raise cause from None
        raise CouldNotError(f"the key does not sign: {str(cause) or type(cause).__name__}; look at its token") from None


def create(path: Path, *, protected: bool) -> Signer:
    """Makes a key in a new file, with a passphrase when it is to be protected."""
    passphrase = passphrases.given(f"passphrase of {path}", confirm=True) if protected else ""
    try:
        return keys.create(path, passphrase)
    except TrustError as error:
        raise BadInputError(str(error)) from None
    except OSError as error:
        raise CouldNotError(f"key {path}: {error.strerror}; choose another file") from None


def change_passphrase(path: Path, *, protected: bool) -> None:
    """Of a signing key, or of an identity file. Asks for the one that it has, if any, and for the new one."""
    old = _passphrase(path, _first_line(path))
    what = f"new passphrase of {path}"
    new = passphrases.given(what, passphrases.NEW_PASSPHRASE, confirm=True) if protected else ""
    try:
        if b"BEGIN CERTIFICATE" in path.read_bytes():
            bundle = Bundle.read(path)
            plain = bundle.opened(old) if bundle.is_encrypted else bundle
            (plain.sealed(new) if new else plain).write(path)
        else:
            keys.change_passphrase(path, old, new)
    except (TrustError, IdentityError) as error:
        raise BadInputError(f"{path}: {error}") from None
    except OSError as error:
        raise CouldNotError(f"{path}: {error.strerror}; look at who may write there") from None


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.readline()
    except OSError as error:
        raise CouldNotError(
            f"key {path}: {error.strerror}; name the right file with --key or `landfast login`"
        ) from None


def _passphrase(path: Path, header: bytes) -> str:
    """Empty for what is not encrypted."""
    return passphrases.given(f"passphrase of {path}") if b"ENCRYPTED" in header else ""

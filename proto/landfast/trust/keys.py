"""Signing keys: Ed25519, in PKCS#8 PEM files. People's are encrypted with a passphrase.

A key in the root metadata carries its holder's name; somebody may have several keys. One that breaks the glass carries
the name in a field of its own, so that it is nobody's to approve with.
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from landfast.identity import write_private
from landfast.trust.errors import TrustError

_HOLDER, _BREAKER = "x-landfast-holder", "x-landfast-break-glass"


def create(path: Path, passphrase: str) -> Signer:
    """Makes a key and keeps it in the new file `path`, encrypted unless `passphrase` is empty."""
    if path.exists():
        raise TrustError(f"key {path} exists; nothing is overwritten, choose another file")
    key = Ed25519PrivateKey.generate()
    protection = s.BestAvailableEncryption(passphrase.encode()) if passphrase else s.NoEncryption()
    write_private(path, key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, protection))
    return CryptoSigner(key)


def load(path: Path, passphrase: str) -> Signer:
    """Raises OSError, or TrustError when the file or the passphrase is wrong."""
    try:
        key = s.load_pem_private_key(path.read_bytes(), passphrase.encode() or None)
    except TypeError:
        what = "is encrypted; give its passphrase" if not passphrase else "is not encrypted; give no passphrase"
        raise TrustError(f"key {path} {what}") from None
    except ValueError:
        raise TrustError(f"key {path}: the passphrase is wrong, or it is no key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"key {path} is not an Ed25519 key; make one with `landfast key create`")
    return CryptoSigner(key)


def held_by(name: str, key: Key) -> Key:
    """The public key with its holder's name, as the root metadata lists it."""
    return _with(key, _HOLDER, name)


def breaking_glass(name: str, key: Key) -> Key:
    """The public key as the root metadata lists it when its holder may break the glass with it, and only that."""
    return _with(key, _BREAKER, name)


def _with(key: Key, field: str, name: str) -> Key:
    return SSlibKey.from_dict(key.keyid, key.to_dict() | {field: name})


def holder(key: Key) -> str:
    """Who approves with it; empty for the controller's, for root keys, and for those that break the glass."""
    return "" if breaker(key) else str(key.unrecognized_fields.get(_HOLDER, ""))


def breaker(key: Key) -> str:
    """Who may break the glass with it; empty for all other keys."""
    return str(key.unrecognized_fields.get(_BREAKER, ""))

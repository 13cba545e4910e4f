"""Signing keys: Ed25519, in PKCS#8 PEM files. People's are encrypted with a passphrase.

A key in the root metadata carries its holder's name; somebody may have several keys.
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from landfast.identity import write_private
from landfast.trust.errors import TrustError

_HOLDER = "x-landfast-holder"


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
    fields = key.to_dict() | {_HOLDER: name}
    return SSlibKey.from_dict(key.keyid, fields)


def holder(key: Key) -> str:
    """Whose key it is; empty for the controller's and for root keys, which stand for nobody."""
    return str(key.unrecognized_fields.get(_HOLDER, ""))

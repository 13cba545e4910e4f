"""Signing keys: Ed25519, in PKCS#8 PEM files, people's encrypted with a passphrase; or ECDSA P-256, on tokens.

A key in the root metadata carries its holder's name; somebody may have several keys. One that breaks the glass carries
the name in a field of its own, so that it is nobody's to approve with. For people a public key is a line of hexadecimal
digits: 64 of an Ed25519 key (RFC 8032), 66 of a P-256 one (the compressed point of SEC 1).
"""

from pathlib import Path

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey

from landfast.identity import write_private
from landfast.trust.errors import TrustError

_HOLDER, _BREAKER = "x-landfast-holder", "x-landfast-break-glass"
_ED25519_BYTES = 32


def create(path: Path, passphrase: str) -> Signer:
    """Makes a key and keeps it in the new file `path`, encrypted unless `passphrase` is empty."""
    if path.exists():
        raise TrustError(f"key {path} exists; nothing is overwritten, choose another file")
    key = Ed25519PrivateKey.generate()
    write_private(path, key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, _protection(passphrase)))
    return CryptoSigner(key)


def load(path: Path, passphrase: str) -> Signer:
    """Raises OSError, or TrustError when the file or the passphrase is wrong."""
    return CryptoSigner(_read(path, passphrase))


def change_passphrase(path: Path, old: str, new: str) -> None:
    """Encrypts the file of a key with `new`, or not at all when that is empty. Raises what `load` raises."""
    key = _read(path, old)
    write_private(path, key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, _protection(new)))


def _protection(passphrase: str) -> s.KeySerializationEncryption:
    return s.BestAvailableEncryption(passphrase.encode()) if passphrase else s.NoEncryption()


def _read(path: Path, passphrase: str) -> Ed25519PrivateKey:
    try:
        key = s.load_pem_private_key(path.read_bytes(), passphrase.encode() or None)
    except TypeError:
        what = "is encrypted; give its passphrase" if not passphrase else "is not encrypted; give no passphrase"
        raise TrustError(f"key {path} {what}") from None
    except ValueError:
        raise TrustError(f"key {path}: the passphrase is wrong, or it is no key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"key {path} is not an Ed25519 key; make one with `landfast key create`")
    return key


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


def public_text(key: Key) -> str:
    """A public key for people."""
    public = str(key.keyval["public"])
    if key.keytype != "ecdsa":
        return public
    point = s.load_pem_public_key(public.encode())
    return point.public_bytes(s.Encoding.X962, s.PublicFormat.CompressedPoint).hex()


def from_public_text(text: str) -> Key:
    """The key that `public_text` tells. Raises TrustError."""
    try:
        data = bytes.fromhex(text)
        if len(data) == _ED25519_BYTES:
            return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(data))
        return SSlibKey.from_crypto(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data))
    except ValueError:
        raise TrustError("it is no public key; write the digits that `landfast key show` prints") from None

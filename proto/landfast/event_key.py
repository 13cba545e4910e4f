"""Event keys: by which a host signs what it has recorded, so that nobody else can have said it.

An Ed25519 key (RFC 8032) for nothing else, and not the one of the host's certificate. What is signed is a line that
tells what it is, and the SHA-256 of the content: a signature of one kind is never one of another. For people a public
key is its 32 bytes in base64.
"""

import base64
import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: What signatures are over: a batch without its signature; host name, newline and certificate request; where a host's
#: events begin (landfast.beginning).
BATCH, ENROLMENT, BEGINNING = b"landfast batch v1\n", b"landfast enrolment v1\n", b"landfast enrolment v2\n"

SIGNATURE_SIZE = 64
_KEY_SIZE = 32


class EventKeyError(ValueError):
    """What cannot be an event key: what is wrong, and where keys are told."""


def sign(key: "Ed25519PrivateKey", kind: bytes, content: bytes) -> bytes:
    """The signature of `content` as one of `kind`."""
    return key.sign(_signed(kind, content))


def has_signed(public: bytes, kind: bytes, content: bytes, signature: bytes) -> bool:
    """Whether the holder of the public key has signed `content` as one of `kind`."""
    return has_signed_hash(public, kind, hashlib.sha256(content).digest(), signature)


def has_signed_hash(public: bytes, kind: bytes, digest: bytes, signature: bytes) -> bool:
    """The same of content whose SHA-256 is known. Lets other threads run meanwhile, and takes some 50 microseconds."""
    from nacl.bindings import crypto_sign_open
    from nacl.exceptions import BadSignatureError

    if len(signature) != SIGNATURE_SIZE:
        return False
    try:
        crypto_sign_open(signature + kind + digest, public)
    except BadSignatureError:
        return False
    return True


def enrolment_of(host: str, csr: bytes) -> bytes:
    """The content by whose signature a host proves, when it enrols, that it holds its event key."""
    return f"{host}\n".encode() + csr


def public_of(key: "Ed25519PrivateKey") -> bytes:
    """The public key: 32 bytes."""
    return key.public_key().public_bytes_raw()


def checked(public: bytes) -> bytes:
    """`public` itself, or EventKeyError unless it has the size of one."""
    if len(public) != _KEY_SIZE:
        raise EventKeyError(f"an event key of {len(public)} bytes, expected the {_KEY_SIZE} of a public Ed25519 key")
    return public


def text(public: bytes) -> str:
    """A public key for people: 44 characters."""
    return base64.b64encode(public).decode()


def parse(key: str) -> bytes:
    """The public key that `text` tells. Raises EventKeyError for anything else."""
    try:
        public = base64.b64decode(key, validate=True)
    except ValueError:
        public = b""
    if len(public) != _KEY_SIZE or text(public) != key:
        raise EventKeyError(
            f"{key[:80]!r} is no event key: the 44 characters are expected that `landfast-agent status` shows"
        )
    return public


def _signed(kind: bytes, content: bytes) -> bytes:
    return kind + hashlib.sha256(content).digest()

"""The key that signs the log's checkpoints: Ed25519, in `log.key`; its public half, a verifier key, in `log.pub`."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landfast.identity import write_private
from landfast.tlog.note import NoteSigner
from landfast_controller.errors import UnavailableError

PRIVATE, PUBLIC = "log.key", "log.pub"


def create(directory: Path, domain: str) -> NoteSigner:
    """Makes the key of the log of `domain`."""
    signer = NoteSigner(_origin(domain), Ed25519PrivateKey.generate())
    pem = signer.key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    write_private(directory / PUBLIC, f"{signer.verifier}\n".encode())
    write_private(directory / PRIVATE, pem)
    return signer


def load(directory: Path, domain: str) -> NoteSigner:
    """Raises FileNotFoundError without a key, and UnavailableError when it cannot be used."""
    path = directory / PRIVATE
    try:
        key = s.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError) as error:
        raise UnavailableError(f"log key {path}: {error}; restore it from a backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UnavailableError(f"log key {path} is not an Ed25519 key; restore it from a backup")
    return NoteSigner(_origin(domain), key)


def _origin(domain: str) -> str:
    """The log's name, which its checkpoints begin with."""
    return f"{domain}/log"

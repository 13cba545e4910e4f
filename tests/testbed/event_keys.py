"""Event keys of hosts: one host, one key, in every process that asks."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from landfast import event_key


def signer(host: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(host.encode()).digest())


def public(host: str) -> bytes:
    return event_key.public_of(signer(host))

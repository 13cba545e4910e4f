"""Hashes of the Merkle tree: RFC 6962, section 2.1, with SHA-256."""

import hashlib
from collections.abc import Sequence

SIZE = 32

#: Root of the tree without leaves.
EMPTY = hashlib.sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over `hashes`, level by level; the odd one out moves up as it is.

    That gives the tree of the RFC, which splits at the largest power of two. The hashes may be leaves or roots of
    complete subtrees of one size; the last may be the root of a smaller one.
    """
    level = list(hashes)
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)] + odd
    return level[0] if level else EMPTY


def split(hashes: bytes) -> list[bytes]:
    """Concatenated hashes, one by one."""
    return [hashes[at : at + SIZE] for at in range(0, len(hashes), SIZE)]

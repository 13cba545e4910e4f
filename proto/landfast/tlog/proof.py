"""Proofs that an entry is in the log, for who has nothing of it: https://c2sp.org/tlog-proof.

A proof holds the entry's index, the hashes beside its way to the root (RFC 6962, section 2.1.1), and the checkpoint;
and, as `extra`, the entry.
"""

import base64
import re
from dataclasses import dataclass
from typing import Self

from landfast.tlog import merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.tree import Tree

_MAGIC = "c2sp.org/tlog-proof@v1"
_HEAD = re.compile(
    re.escape(_MAGIC).encode() + rb"\nextra ([A-Za-z0-9+/=]+)\nindex (0|[1-9][0-9]{0,18})\n((?:[A-Za-z0-9+/]{43}=\n)*)"
)


@dataclass(frozen=True)
class Proof:
    """That `entry` is at `index` of the tree of the checkpoint in `note`."""

    index: int
    entry: bytes
    path: tuple[bytes, ...]
    note: bytes

    @classmethod
    def make(cls, tree: Tree, index: int, entry: bytes, note: bytes, size: int | None = None) -> Self:
        """`note` is the checkpoint of `tree`, or of its first `size` entries."""
        return cls(index, entry, tuple(_path(tree, index, 0, tree.size if size is None else size)), note)

    def encode(self) -> bytes:
        hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in self.path)
        extra = base64.b64encode(self.entry).decode()
        return f"{_MAGIC}\nextra {extra}\nindex {self.index}\n{hashes}\n".encode() + self.note

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises TlogError for what is not a proof; what it proves is another question."""
        head, _, note = data.partition(b"\n\n")
        found = _HEAD.fullmatch(head + b"\n")
        if not found:
            raise TlogError(f"not a proof of ours: {_MAGIC!r}, extra, index and hashes are expected, a line for each")
        extra, index, hashes = found.groups()
        return cls(int(index), base64.b64decode(extra), tuple(map(base64.b64decode, hashes.split())), note)

    def check(self, key: VerifierKey) -> Checkpoint:
        """The checkpoint whose tree holds the entry. Raises TlogError unless that is proved."""
        checkpoint = Checkpoint.open(self.note, key)
        if self.index >= checkpoint.size:
            raise TlogError(f"a proof for index {self.index}, with a checkpoint of {checkpoint.size} entries")
        if _root(merkle.leaf_hash(self.entry), self.index, checkpoint.size, list(self.path)) != checkpoint.root:
            raise TlogError(f"the proof for index {self.index} does not lead to the root of its checkpoint")
        return checkpoint


def _path(tree: Tree, index: int, begin: int, end: int) -> list[bytes]:
    """The hashes beside the way from a leaf up to the root over `begin` to `end`."""
    if end - begin == 1:
        return []
    middle = begin + (1 << (end - begin - 1).bit_length() - 1)
    if index < middle:
        return [*_path(tree, index, begin, middle), tree.root_of(middle, end)]
    return [*_path(tree, index, middle, end), tree.root_of(begin, middle)]


def _root(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Where the path leads: the inverse of `_path`. Nothing when it is too long or too short."""
    if size == 1:
        return b"" if path else leaf
    if not path:
        return b""
    middle, last = 1 << (size - 1).bit_length() - 1, path[-1]
    if index < middle:
        return merkle.node_hash(_root(leaf, index, middle, path[:-1]), last)
    return merkle.node_hash(last, _root(leaf, index - middle, size - middle, path[:-1]))

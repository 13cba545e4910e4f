"""Checkpoints (https://c2sp.org/tlog-checkpoint): how far a log reaches, and its tree's root, signed."""

import base64
from dataclasses import dataclass
from typing import Self

from landfast.tlog import merkle
from landfast.tlog.errors import TlogError
from landfast.tlog.note import NoteSigner, VerifierKey


@dataclass(frozen=True)
class Checkpoint:
    """The tree of the first `size` entries."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, signer: NoteSigner) -> bytes:
        return signer.sign(str(self))

    @classmethod
    def open(cls, note: bytes, key: VerifierKey) -> Self:
        """Reads a checkpoint of the log whose key is `key`. Raises TlogError unless that log has signed it."""
        text = key.text_of(note)
        origin, size, root, *_ = [*text.split("\n"), "", ""]
        try:
            made = cls(origin, int(size), base64.b64decode(root, validate=True))
        except ValueError:
            raise TlogError(f"not a checkpoint: {text[:200]!r}") from None
        if not text.startswith(str(made)) or len(made.root) != merkle.SIZE or made.size < 0:
            raise TlogError(f"not a checkpoint: {text[:200]!r}")
        if origin != key.name:
            raise TlogError(f"a checkpoint of {origin}, not of {key.name}")
        return made

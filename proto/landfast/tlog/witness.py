"""How a log asks a witness to cosign: `add-checkpoint` of https://c2sp.org/tlog-witness.

The log names the size of the tree that the witness knows, proves that its checkpoint goes on from there, and gets
signature lines. A witness that knows another size answers with that.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from landfast.tlog import consistency
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.cosignature import WitnessKey
from landfast.tlog.errors import TlogError

#: Below the witness's URL.
PATH = "add-checkpoint"

#: Type of an answer (409) that tells a size.
SIZE_TYPE = "text/x.tlog.size"

#: Bytes of a request, or of an answer: 63 hashes, and a checkpoint with some 16 signatures of up to 5 kB.
LIMIT = 2**17

#: Paths beside those of tlog-tiles: the checkpoint that witnesses are asked to cosign now, and (by the ID of its key)
#: the newest one that a witness has cosigned.
PREFIX = "witness/"
NEXT = f"{PREFIX}next"

_MOST_HASHES = 63
_NUMBER = r"(0|[1-9][0-9]{0,18})"
_HEAD = re.compile(rf"old {_NUMBER}\n((?:[A-Za-z0-9+/]{{43}}=\n){{0,{_MOST_HASHES}}})")
_SIZE = re.compile(rf"{_NUMBER}\n")


class RefusedError(TlogError):
    """What a witness does not cosign; `status` is the HTTP status that says so."""

    status = 400


class UnknownLogError(RefusedError):
    status = 404


class NotSignedError(RefusedError):
    status = 403


class NotProvedError(RefusedError):
    """It is not shown to go on from what is known. Who asks may be mistaken, or have forked the log."""

    status = 422


class OtherSizeError(RefusedError):
    """The tree that is known is of `known` entries, and not of as many as was said."""

    status = 409

    def __init__(self, known: int, text: str) -> None:
        super().__init__(text)
        self.known = known


class ForkError(OtherSizeError):
    """Another tree of the same size than the one that is known: both checkpoints together prove it to everybody."""


@dataclass(frozen=True)
class Submission:
    """A signed checkpoint, and the proof that it goes on from the tree of `old` entries."""

    old: int
    proof: Sequence[bytes]
    note: bytes

    def encode(self) -> bytes:
        """The body of the request."""
        hashes = "".join(f"{base64.b64encode(each).decode()}\n" for each in self.proof)
        return f"old {self.old}\n{hashes}\n".encode() + self.note

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises RefusedError for what is no request."""
        head, blank, note = data.partition(b"\n\n")
        found = _HEAD.fullmatch((head + b"\n").decode("latin-1"))
        if not blank or not found:
            raise RefusedError(
                f"not a request: `old SIZE`, at most {_MOST_HASHES} lines of hashes, a blank line and a signed "
                "checkpoint are expected"
            )
        return cls(int(found[1]), tuple(map(base64.b64decode, found[2].split())), note)

    def check(self, known: Checkpoint, new: Checkpoint) -> None:
        """Raises RefusedError unless `new`, which is the checkpoint in `note`, is proved to go on from `known`."""
        if self.old > new.size:
            raise RefusedError(f"from {self.old} entries to {new.size}: a log does not shrink")
        if self.old != known.size:
            raise OtherSizeError(known.size, f"from {self.old} entries, and {known.size} are known")
        if new.size == known.size and new.root != known.root:
            raise ForkError(known.size, f"another tree of {known.size} entries than the one that is known: a fork")
        try:
            consistency.check(known, new, self.proof)
        except TlogError as error:
            raise NotProvedError(str(error)) from None


def path_of(key: WitnessKey) -> str:
    """Where the newest checkpoint is found that this witness has cosigned."""
    return f"{PREFIX}{key.id.hex()}"


def size_line(size: int) -> bytes:
    """The answer that tells a size."""
    return f"{size}\n".encode()


def size_of(answer: bytes) -> int:
    """The size that an answer tells. Raises TlogError."""
    found = _SIZE.fullmatch(answer.decode("latin-1"))
    if not found:
        raise TlogError(f"{answer[:80]!r} instead of the size of a tree")
    return int(found[1])

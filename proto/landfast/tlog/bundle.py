"""Bundles of entries (https://c2sp.org/tlog-tiles), and what an entry of ours is.

In a bundle each entry is preceded by its length, two bytes in network order. An entry is the kind of its content (one
byte), the time at which the controller stored it (nanoseconds since 1970, eight bytes in network order), and the
content: the exact bytes of a `landfast.v1.Batch` or of a `landfast.v1.ControlAction`. So the tree also proves when.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from landfast.tlog.errors import TlogError

_LENGTH = struct.Struct("!H")
_HEAD = struct.Struct("!BQ")

#: Bytes before each entry of a bundle.
LENGTH_SIZE = _LENGTH.size

#: Bytes that an entry has beside its content.
HEAD_SIZE = _HEAD.size

#: Bytes that the content of an entry may have: the format allows entries of 65,535.
MAX_CONTENT = 2**16 - 1 - _HEAD.size


class Kind(IntEnum):
    """What an entry of the log holds."""

    BATCH = 1
    CONTROL = 2


@dataclass(frozen=True)
class Entry:
    """An entry of the log. `content` has at most MAX_CONTENT bytes."""

    kind: Kind
    received_ns: int
    content: bytes

    def encode(self) -> bytes:
        return _HEAD.pack(self.kind, self.received_ns) + self.content

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises TlogError for what is no entry of ours."""
        try:
            kind, received_ns = _HEAD.unpack_from(data)
            return cls(Kind(kind), received_ns, data[_HEAD.size :])
        except (struct.error, ValueError) as error:
            raise TlogError(f"not an entry of a Landfast log: {error}") from None


def encode(entries: Iterable[bytes]) -> bytes:
    """The bundle of encoded entries."""
    return b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)


def decode(data: bytes, width: int) -> list[bytes]:
    """The entries of a bundle, encoded. Raises TlogError unless there are exactly `width` of them."""
    entries, at = [], 0
    while at < len(data):
        end = at + _LENGTH.size
        length = int.from_bytes(data[at:end], "big")
        entries.append(data[end : end + length])
        at = end + length
    if at != len(data) or len(entries) != width:
        raise TlogError(f"a bundle of {len(data)} bytes is not one of {width} entries")
    return entries

"""The entries of a map, packed as the kernel takes and gives them."""

from collections.abc import Iterable, Iterator
from typing import Self

from msgspec import Struct

Entry = tuple[bytes, bytes]  # key, value


class Entries(Struct, frozen=True):
    """`count` keys of one size, one behind the other, and as many values of one size, in the same order."""

    count: int
    keys: bytes
    values: bytes

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        pairs = tuple(entries)
        return cls(len(pairs), b"".join(key for key, _ in pairs), b"".join(value for _, value in pairs))

    @classmethod
    def joined(cls, parts: Iterable["Entries"]) -> Self:
        counts, keys, values = zip(*((each.count, each.keys, each.values) for each in parts), strict=True)
        return cls(sum(counts), b"".join(keys), b"".join(values))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Entry]:
        return zip(_rows(self.keys, self.count), _rows(self.values, self.count), strict=True)


def _rows(data: bytes, count: int) -> Iterator[bytes]:
    size = len(data) // max(count, 1)
    return (data[at * size : (at + 1) * size] for at in range(count))

"""Where the parts of a log are found: https://c2sp.org/tlog-tiles.

The tree is cut into tiles of 256 hashes. A tile at level 0 holds hashes of leaves; each hash of a tile at level L is
the root of a full tile at level L-1. Entries come in bundles of 256. What is at the right edge of the tree is partial:
it has fewer, and its width in its path.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from landfast.tlog.errors import TlogError

#: Hashes of a full tile, entries of a full bundle.
WIDTH = 256

#: In place of a level: bundles of entries.
ENTRIES = -1

CHECKPOINT = "checkpoint"

#: Entries that a log can have.
LARGEST_SIZE = 2**63
_PATH = re.compile(r"tile/(entries|0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


@dataclass(frozen=True)
class Tile:
    """The place of a tile, or of a bundle of entries."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{_elements(self.index)}{partial}"

    @classmethod
    def parse(cls, path: str) -> Self:
        """Raises TlogError unless `path` is exactly what `path` of a tile gives."""
        found = _PATH.fullmatch(path)
        if found:
            level, elements, width = found.groups()
            index = int(elements.replace("/", "").replace("x", ""))
            tile = cls(ENTRIES if level == "entries" else int(level), index, int(width or WIDTH))
            if tile.path == path and tile.level < 64 and tile.begin < LARGEST_SIZE:
                return tile
        raise TlogError(f"path {path!r}: neither `{CHECKPOINT}` nor that of a tile, such as tile/0/x001/234.p/56")

    @property
    def begin(self) -> int:
        """Index of the first entry below it."""
        return self.index * WIDTH * reach(self.level)

    @property
    def end(self) -> int:
        """Index after the last entry below it."""
        return self.begin + self.width * reach(self.level)


def reach(level: int) -> int:
    """How many entries each hash of a tile at `level` covers."""
    return 1 << 8 * max(level, 0)


def at(level: int, index: int, size: int) -> Tile:
    """The tile at a place in a tree of `size` entries: full, or partial at its right edge. It must not be empty."""
    left = size // reach(level) - index * WIDTH
    return Tile(level, index, min(left, WIDTH))


def partial(size: int) -> list[Tile]:
    """The partial tiles of a tree, from level 0 upwards."""
    tiles, level, count = [], 0, size
    while count:
        if count % WIDTH:
            tiles.append(Tile(level, count // WIDTH, count % WIDTH))
        level, count = level + 1, count // WIDTH
    return tiles


def row(level: int, begin: int, size: int) -> Iterator[Tile]:
    """The tiles of a level of a tree of `size` entries, from that over the entry `begin` on; ENTRIES: the bundles."""
    for index in range(begin // reach(level) // WIDTH, -(-(size // reach(level)) // WIDTH)):
        yield at(level, index, size)


def _elements(index: int) -> str:
    elements = [f"{index % 1000:03}"]
    while index := index // 1000:
        elements.insert(0, f"x{index % 1000:03}")
    return "/".join(elements)

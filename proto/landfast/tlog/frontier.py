"""The right edge of a growing tree: all that must be known of it to go on."""

from collections.abc import Callable, Iterable

from landfast.tlog import merkle, tiles
from landfast.tlog.errors import TlogError
from landfast.tlog.tiles import WIDTH, Tile


class Frontier:
    """A tree that leaves are appended to. Holds its partial tiles, at most 8 KiB for each level."""

    def __init__(self) -> None:
        self.size = 0
        self._levels: list[list[bytes]] = []

    @classmethod
    def read(cls, size: int, read: Callable[[Tile], bytes]) -> "Frontier":
        """The tree of `size` leaves, from its partial tiles. Raises TlogError for a tile of another length."""
        made = cls()
        made.size = size
        for tile in tiles.partial(size):
            hashes = read(tile)
            if len(hashes) != tile.width * merkle.SIZE:
                raise TlogError(f"{tile.path} has {len(hashes)} bytes, expected {tile.width * merkle.SIZE}")
            made._levels += [[] for _ in range(len(made._levels), tile.level)]
            made._levels.append(merkle.split(hashes))
        return made

    def copy(self) -> "Frontier":
        made = Frontier()
        made.size, made._levels = self.size, [list(level) for level in self._levels]
        return made

    def extend(self, leaves: Iterable[bytes]) -> list[tuple[Tile, bytes]]:
        """Appends hashes of leaves; returns the tiles that became full, with their hashes."""
        return [full for leaf in leaves for full in self._append(leaf)]

    def _append(self, leaf: bytes) -> list[tuple[Tile, bytes]]:
        self.size += 1
        full: list[tuple[Tile, bytes]] = []
        count, level = self.size, 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
            hashes = self._levels[level]
            hashes.append(leaf)
            if len(hashes) < WIDTH:
                return full
            count //= WIDTH
            full.append((Tile(level, count - 1), b"".join(hashes)))
            leaf, self._levels[level], level = merkle.root_of(hashes), [], level + 1

    def partial(self) -> list[tuple[Tile, bytes]]:
        """The partial tiles, with their hashes."""
        return [(tile, b"".join(self._levels[tile.level])) for tile in tiles.partial(self.size)]

    @property
    def root(self) -> bytes:
        below: list[bytes] = []
        for hashes in self._levels:
            if hashes or below:
                below = [merkle.root_of(hashes + below)]
        return below[0] if below else merkle.EMPTY

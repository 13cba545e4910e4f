"""A log that somebody else keeps, read by its checkpoint: nothing is believed before it is proved.

From the checkpoint downwards: the partial tiles must lead to its root, and every full tile to its hash in the tile
above it. So whatever is wrong is found where it is.
"""

from collections.abc import Callable

from landfast.tlog import merkle, tiles
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.frontier import Frontier
from landfast.tlog.tiles import WIDTH

#: Gives what is at a path. Raises TlogError when there is nothing.
Read = Callable[[str], bytes]


class Tree:
    """The tree of a checkpoint. Keeps one tile of each level in memory, beside the partial ones."""

    def __init__(self, checkpoint: Checkpoint, read: Read) -> None:
        """Reads the partial tiles. Raises TlogError unless they are those of the checkpoint."""
        self.size = checkpoint.size
        self._read = read
        self.frontier = Frontier.read(checkpoint.size, lambda tile: read(tile.path))
        if self.frontier.root != checkpoint.root:
            raise TlogError(
                f"the partial tiles of the tree of {self.size} entries do not lead to its checkpoint's root"
            )
        self._partial = {tile.level: merkle.split(hashes) for tile, hashes in self.frontier.partial()}
        self._latest: dict[int, tuple[int, list[bytes]]] = {}

    def tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile. Raises TlogError when they are not those of the tree."""
        tile = tiles.at(level, index, self.size)
        if tile.width < WIDTH:
            return self._partial[level]
        if self._latest.get(level, (-1,))[0] != index:
            self._latest[level] = index, self._proved(level, index)
        return self._latest[level][1]

    def _proved(self, level: int, index: int) -> list[bytes]:
        path = tiles.at(level, index, self.size).path
        hashes, expected = self._read(path), self.tile(level + 1, index // WIDTH)[index % WIDTH]
        found = merkle.split(hashes)
        if len(hashes) != WIDTH * merkle.SIZE or merkle.root_of(found) != expected:
            raise TlogError(f"{path} is not the tile of the tree: its root differs from the one above it")
        return found

    def node(self, height: int, index: int) -> bytes:
        """The root of the complete subtree over 2**height leaves that begins at leaf `index` * 2**height."""
        level, rest = divmod(height, 8)
        begin = index << rest
        hashes = self.tile(level, begin // WIDTH)
        return merkle.root_of(hashes[begin % WIDTH : begin % WIDTH + (1 << rest)])

    def root_of(self, begin: int, end: int) -> bytes:
        """The root over the leaves from `begin` to below `end`, a subtree as RFC 6962 splits them."""
        count = end - begin
        if count & count - 1 == 0:
            return self.node(count.bit_length() - 1, begin // count)
        middle = begin + (1 << count.bit_length() - 1)
        return merkle.node_hash(self.root_of(begin, middle), self.root_of(middle, end))

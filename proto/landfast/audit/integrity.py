"""Does every entry lead to the root that the log has signed?

Each step from an entry to the root is looked at by itself (entry to hash, tile to the tile above it, the partial tiles
to the checkpoint), and goes on after one that is wrong. If all of them hold, so does the whole; if not, what is found
says where.
"""

from collections.abc import Iterator

from landfast.audit.findings import Finding, Verdict
from landfast.tlog import bundle, merkle, minimum, tiles
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.frontier import Frontier
from landfast.tlog.tiles import ENTRIES, WIDTH, Tile
from landfast.tlog.tree import Read


class Integrity:
    """Reads a log from its beginning to the checkpoint, with one tile of each level in memory.

    Of entries below `begin`, which are pruned, there are only hashes.
    """

    def __init__(self, checkpoint: Checkpoint, read: Read) -> None:
        self.verdict = Verdict()
        self._checkpoint, self._read = checkpoint, read
        self._latest: dict[int, tuple[int, list[bytes]]] = {}
        self.begin = self._minimum()

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of every entry that is as its hash says. The verdict is complete at the end."""
        for tile in tiles.row(ENTRIES, 0, self._checkpoint.size):
            if tile.begin >= self.begin:
                yield from self._bundle(tile)
            self._climb(tile.index)
        self._check_root()

    def _minimum(self) -> int:
        try:
            return minimum.read(self._read, self._checkpoint.size)
        except TlogError as error:
            self._find("unreadable", str(error), minimum.PATH)
            return 0

    def _bundle(self, tile: Tile) -> Iterator[tuple[int, bytes]]:
        hashes = self._tile(0, tile.index)
        try:
            entries = bundle.decode(self._read(tile.path), tile.width)
        except TlogError as error:
            self._find("unreadable", f"entries {tile.begin} to {tile.end - 1}: {error}", tile.path, tile.begin)
            return
        for index, (entry, expected) in enumerate(zip(entries, hashes, strict=False), tile.begin):
            if merkle.leaf_hash(entry) == expected:
                yield index, entry
            else:
                self._find("altered", f"entry {index} is not the one that the tree has", tile.path, index)

    def _climb(self, index: int) -> None:
        """Compares a full tile with its hash in the tile above, and that one when this was its last."""
        level = 0
        while tiles.at(level, index, self._checkpoint.size).width == WIDTH:
            above = self._tile(level + 1, index // WIDTH)
            hashes = self._tile(level, index)
            if hashes and above and merkle.root_of(hashes) != above[index % WIDTH]:
                tile = Tile(level, index)
                text = (
                    f"the tile over entries {tile.begin} to {tile.end - 1} differs from its hash in the tile above it"
                )
                self._find("altered-tile", text, tile.path, tile.begin)
            if index % WIDTH != WIDTH - 1:
                break
            level, index = level + 1, index // WIDTH

    def _tile(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile as they are stored; none when that is no tile, which is a finding."""
        if self._latest.get(level, (-1,))[0] != index:
            self._latest[level] = index, self._stored(tiles.at(level, index, self._checkpoint.size))
        return self._latest[level][1]

    def _stored(self, tile: Tile) -> list[bytes]:
        try:
            hashes = self._read(tile.path)
            if len(hashes) == tile.width * merkle.SIZE:
                return merkle.split(hashes)
            raise TlogError(f"{tile.path} has {len(hashes)} bytes, expected {tile.width * merkle.SIZE}")
        except TlogError as error:
            text = f"the tile over entries {tile.begin} to {tile.end - 1}: {error}"
            self._find("unreadable", text, tile.path, tile.begin)
            return []

    def _check_root(self) -> None:
        size = self._checkpoint.size
        try:
            frontier = Frontier.read(size, lambda tile: b"".join(self._tile(tile.level, tile.index)))
        except TlogError:
            return  # a finding already
        if frontier.root != self._checkpoint.root:
            text = f"the tree of {size} entries does not lead to the root that the log has signed"
            self._find("root", text, tiles.CHECKPOINT)

    def _find(self, kind: str, text: str, path: str, index: int | None = None) -> None:
        self.verdict.add(Finding(kind, text, path, index))

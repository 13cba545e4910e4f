"""A copy of the log of one's own: verified on the way, resumed where it ended, and never exchanged for another log.

The directory is laid out as https://c2sp.org/tlog-tiles says, so that any web server can publish it. Its checkpoint is
the newest that was verified; it is replaced last, when everything that it tells of is on disk.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from landfast.tlog import bundle, merkle, minimum, tiles
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.note import VerifierKey
from landfast.tlog.tiles import CHECKPOINT, ENTRIES, WIDTH, Tile
from landfast.tlog.tree import Read, Tree
from landfast.tlog.witness import path_of
from landfast_cli import witnessed
from landfast_cli.errors import CouldNotError
from landfast_cli.log_sources import stored
from landfast_cli.witnessed import Coverage, Required

#: Told how many entries are there, of how many.
Progress = Callable[[int, int], None]


class Mirror:
    """The copy in `directory` of the log whose key is `key`."""

    def __init__(self, directory: Path, key: VerifierKey) -> None:
        """Raises TlogError when what is there is not of that log."""
        self._directory, self._key = directory, key
        self.oldest = 0  # index of the first entry that is here
        note = directory / CHECKPOINT
        self._kept = Checkpoint.open(stored(note), key) if note.exists() else Checkpoint(key.name, 0, merkle.EMPTY)

    def update(self, read: Read, progress: Progress) -> Checkpoint:
        """Fetches what is new. Raises TlogError for anything that does not belong to the log that is here already."""
        note = read(CHECKPOINT)
        newest = Checkpoint.open(note, self._key)
        tree = Tree(newest, read)
        self._check_goes_on(newest, tree)
        for tile in tiles.row(ENTRIES, self._next(read, newest.size), newest.size):
            self._fetch(tile, tree, read)
            progress(tile.end, newest.size)
        self._write_tiles(tree)
        if self.oldest:
            self._write(minimum.PATH, minimum.encode(self.oldest))
        os.sync()
        self._write(CHECKPOINT, note)
        self._remove_outdated(newest.size)
        self._kept = newest
        return newest

    def keep_cosigned(self, read: Read, required: Required) -> Coverage:
        """Fetches what the witnesses have cosigned, and holds it against the copy, which is to be up to date."""
        tree = Tree(self._kept, read)
        found = witnessed.coverage(read, self._key, required, self._kept, lambda size: tree.root_of(0, size))
        for each in found.cosigned:
            self._write(path_of(each.witness), each.note)
        return found

    def _check_goes_on(self, newest: Checkpoint, tree: Tree) -> None:
        kept = self._kept
        if newest.size < kept.size:
            raise TlogError(f"the log has {newest.size} entries now, and {kept.size} are here: it was cut; {_EVIDENCE}")
        if kept.size and tree.root_of(0, kept.size) != kept.root:
            raise TlogError(
                f"the log's first {kept.size} entries are not those that are here, from entry {self._fork(tree)} on: "
                f"a fork; {_EVIDENCE}"
            )

    def _fork(self, tree: Tree) -> int:
        """Index of the first entry of the log that is not the one that is here."""
        pairs = (
            (mine, theirs)
            for tile in tiles.row(0, 0, self._kept.size)
            for mine, theirs in zip(
                merkle.split(stored(self._directory / tile.path)), tree.tile(0, tile.index), strict=False
            )
        )
        return next(index for index, (mine, theirs) in enumerate(pairs) if mine != theirs)

    def _next(self, read: Read, size: int) -> int:
        """Where to go on. A new copy begins at the oldest entry; one that has a gap would be of no use."""
        pruned, kept = minimum.read(read, size), self._kept.size
        if not kept:
            self.oldest = pruned
            return pruned
        if kept // WIDTH * WIDTH < pruned:
            raise TlogError(
                f"entries {kept} to {pruned - 1} are pruned and not here: this copy cannot go on without a gap; keep "
                "it for what it has, and begin another one in a new directory"
            )
        self.oldest = minimum.read(lambda path: stored(self._directory / path), kept)
        return kept

    def _fetch(self, tile: Tile, tree: Tree, read: Read) -> None:
        """Gets a bundle, unless an interrupted attempt has left it."""
        hashes = tree.tile(0, tile.index)
        try:
            _check_bundle(stored(self._directory / tile.path), tile, hashes)
        except TlogError:
            content = read(tile.path)
            _check_bundle(content, tile, hashes)
            self._write(tile.path, content)

    def _write_tiles(self, tree: Tree) -> None:
        level = 0
        while tree.size // tiles.reach(level):
            for tile in tiles.row(level, self._kept.size, tree.size):
                self._write(tile.path, b"".join(tree.tile(level, tile.index)))
            level += 1

    def _write(self, path: str, content: bytes) -> None:
        """Replaces a file as a whole. It is durable after the next sync."""
        target = self._directory / path
        draft = target.with_name(f".{target.name}.new")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(target)
        except OSError as error:
            raise CouldNotError(f"{target}: {error.strerror}; run the command again when that is mended") from None

    def _remove_outdated(self, size: int) -> None:
        """Partial tiles of the checkpoint before that this one does not need."""
        for tile in set(_partial(self._kept.size)) - set(_partial(size)):
            path = self._directory / tile.path
            path.unlink(missing_ok=True)
            with suppress(OSError):  # another width is still in it
                path.parent.rmdir()


_EVIDENCE = "nothing was changed here; keep this directory as evidence"


def _check_bundle(content: bytes, tile: Tile, hashes: list[bytes]) -> None:
    """Raises TlogError unless `content` holds the entries of a tile."""
    for index, entry in enumerate(bundle.decode(content, tile.width)):
        if merkle.leaf_hash(entry) != hashes[index]:
            raise TlogError(f"entry {tile.begin + index} is not the one that the tree has ({tile.path})")


def _partial(size: int) -> list[Tile]:
    bundles = [Tile(ENTRIES, tile.index, tile.width) for tile in tiles.partial(size) if tile.level == 0]
    return [*tiles.partial(size), *bundles]

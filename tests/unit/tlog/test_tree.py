"""Trees, tiles and proofs, against the definitions."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.tlog import merkle, tiles
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.frontier import Frontier
from landfast.tlog.proof import Proof
from landfast.tlog.tiles import ENTRIES, Tile
from landfast.tlog.tree import Tree
from tests.unit.tlog import naive
from tests.unit.tlog.naive import SIGNER

EDGES = (1, 2, 255, 256, 257, 511, 512, 513)


def _entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def _tree(files: dict[str, bytes]) -> Tree:
    return Tree(Checkpoint.open(files["checkpoint"], SIGNER.verifier), naive.reader(files))


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Frontier().root == naive.root([]) == merkle.EMPTY


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=4))
def test_a_tree_that_grows_piece_by_piece_is_that_of_the_whole(pieces: list[int]) -> None:
    frontier, entries, files = Frontier(), _entries(sum(pieces)), {}
    waiting = deque(entries)
    for piece in pieces:
        grown = frontier.extend(merkle.leaf_hash(waiting.popleft()) for _ in range(piece))
        frontier = Frontier.read(frontier.size, dict(frontier.partial()).__getitem__)
        files |= {tile.path: hashes for tile, hashes in grown}
    files |= {tile.path: hashes for tile, hashes in frontier.partial()}
    assert frontier.root == naive.root(entries)
    expected = naive.published(entries)
    assert files == {path: content for path, content in expected.items() if "tile/" in path and "entries" not in path}


@pytest.mark.parametrize("size", EDGES)
def test_the_tiles_of_a_tree_are_found_by_their_paths(size: int) -> None:
    files = naive.published(_entries(size))
    levels = (ENTRIES, *range((size - 1).bit_length() // 8 + 1))
    assert {tile.path for level in levels for tile in tiles.row(level, 0, size)} == set(files) - {"checkpoint"}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_inclusion_and_older_roots_follow_from_tiles(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 700) | st.sampled_from(EDGES))
    index, older = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    entries = _entries(size)
    files = naive.published(entries)
    proof = Proof.make(_tree(files), index, entries[index], files["checkpoint"])
    assert list(proof.path) == naive.path(index, entries)
    assert Proof.decode(proof.encode()) == proof
    assert proof.check(SIGNER.verifier).size == size
    assert _tree(files).root_of(0, older) == naive.root(entries[:older])


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_proof_proves_nothing_else(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    index, other = data.draw(st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True))
    entries = _entries(size)
    files = naive.published(entries)
    proof = Proof.make(_tree(files), index, entries[index], files["checkpoint"])
    broken = [
        Proof(other, proof.entry, proof.path, proof.note),
        Proof(index, entries[other], proof.path, proof.note),
        Proof(index, proof.entry, proof.path[1:], proof.note),
        Proof(index, proof.entry, (*proof.path, merkle.EMPTY), proof.note),
        Proof(size, proof.entry, proof.path, proof.note),
        Proof(index, proof.entry, proof.path, naive.published(entries[:-1])["checkpoint"]),
    ]
    for each in broken:
        with pytest.raises(TlogError):
            each.check(SIGNER.verifier)


def test_one_entry_is_proved_with_few_tiles() -> None:
    files = naive.published(_entries(70_000 // 64))
    read, asked = naive.recording(naive.reader(files))
    tree = Tree(Checkpoint.open(files["checkpoint"], SIGNER.verifier), read)
    Proof.make(tree, 300, b"", files["checkpoint"])
    assert sorted(asked) == ["tile/0/001", "tile/0/004.p/69", "tile/1/000.p/4"]


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"])
def test_a_tile_that_is_not_the_trees_is_not_believed(path: str) -> None:
    files = naive.published(_entries(257))
    files[path] = files[path][:-1] + bytes((files[path][-1] ^ 1,))
    with pytest.raises(TlogError, match="tile"):
        _tree(files).tile(0, 0)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(2, 999, 1), "tile/2/999.p/1"),
        (Tile(ENTRIES, 1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_paths(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        *("", "tile", "tile/0", "tile/0/00", "tile/0/x000/001", "tile/00/000", "tile/64/000", "tile/-1/000"),
        *("tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000\n", "tile/0/../000", "../tile/0/000"),
        *("tile/entries/x/000", "tile/9/x999/x999/999", "tile/0/\u0661\u0662\u0663"),
    ],
)
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(TlogError):
        Tile.parse(path)

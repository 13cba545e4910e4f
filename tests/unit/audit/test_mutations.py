"""A stored log, altered at random by who does not have its key: never undetected, and the finding says where."""

import random
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from landfast import event_key
from landfast.audit.findings import Finding
from landfast.tlog import bundle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.tiles import Tile
from tests.unit.audit.stories import ordinary, verified
from tests.unit.tlog import naive

_ENTRIES = ordinary(290).entries
_FILES = naive.published(_ENTRIES)

#: Alters the files; returns where, as paths and indexes of which a finding must name one.
Mutation = Callable[[dict[str, bytes], random.Random], set[str | int]]


@pytest.fixture(autouse=True)
def _each_signature_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes have the same answer: thousands of rounds need not ask again."""
    monkeypatch.setattr(event_key, "has_signed_hash", cache(event_key.has_signed_hash))


def flip(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    path = dice.choice(sorted(files))
    content, bit = bytearray(files[path]), dice.randrange(8 * len(files[path]))
    content[bit // 8] ^= 1 << bit % 8
    files[path] = bytes(content)
    return {path, *_above(path)}


def truncate(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    path = dice.choice(sorted(files))
    files[path] = files[path][: dice.randrange(len(files[path]))]
    return {path}


def lengthen(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    path = dice.choice(sorted(files))
    files[path] += dice.randbytes(dice.randint(1, 40))
    return {path}


def delete(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    path = dice.choice(sorted(files))
    del files[path]
    return {path}


def swap_files(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    one, other = dice.sample(sorted(files), 2)
    files[one], files[other] = files[other], files[one]
    return {one, other}


def _rewritten(
    files: dict[str, bytes], dice: random.Random, change: Callable[[list[bytes], int], None]
) -> set[str | int]:
    """Changes the entries of one bundle around a place, and leaves the tree as it is."""
    path = dice.choice([path for path in sorted(files) if "entries" in path])
    tile = Tile.parse(path)
    entries = bundle.decode(files[path], tile.width)
    at = dice.randrange(tile.width - 1)
    change(entries, at)
    files[path] = bundle.encode(entries)
    return {tile.begin + at, tile.begin}


def swap_entries(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    def change(entries: list[bytes], at: int) -> None:
        entries[at], entries[at + 1] = entries[at + 1], entries[at]

    return _rewritten(files, dice, change)


def replay(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    def change(entries: list[bytes], at: int) -> None:
        entries[at] = dice.choice([entry for entry in _ENTRIES if entry != entries[at]])

    return _rewritten(files, dice, change)


def leave_out(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    return _rewritten(files, dice, lambda entries, at: entries.pop(at) and None)


def whole_tree(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    """Another log of the same length, whole in itself, under the checkpoint of this one."""
    entries = list(_ENTRIES)
    at = dice.randrange(len(entries))
    entries[at] = entries[at - 1]
    files |= naive.published(entries) | {"checkpoint": files["checkpoint"]}
    return {"checkpoint"}


def older(files: dict[str, bytes], dice: random.Random) -> set[str | int]:
    """The log as it was earlier, under the checkpoint of now."""
    checkpoint = files["checkpoint"]
    files.clear()
    files |= naive.published(_ENTRIES[: dice.randrange(len(_ENTRIES))]) | {"checkpoint": checkpoint}
    return set(_FILES)


CHEAP: tuple[Mutation, ...] = (flip, flip, truncate, lengthen, delete, swap_files, swap_entries, replay, leave_out)


def _above(path: str) -> set[str | int]:
    """Where a wrong hash of a tile shows: below it and above it."""
    if path == "checkpoint":
        return set()
    tile = Tile.parse(path)
    return {*range(tile.begin, tile.end), "checkpoint"}


def _findings(files: dict[str, bytes]) -> list[Finding]:
    try:
        Checkpoint.open(naive.reader(files)("checkpoint"), naive.SIGNER.verifier)
    except TlogError as error:
        return [Finding("checkpoint", str(error), "checkpoint")]
    return verified(files).integrity.findings


def _campaign(mutations: tuple[Mutation, ...], rounds: int, seed: int) -> None:
    dice, made = random.Random(seed), Counter[str]()
    for number in range(rounds):
        files = dict(_FILES)
        mutation = dice.choice(mutations)
        where = mutation(files, dice)
        assert files != _FILES
        named = {place for each in _findings(files) for place in (each.path, each.index)}
        assert named & where, f"{mutation.__name__}, round {number} of seed {seed}: {where}, named {named}"
        made[mutation.__name__] += 1
    print(f"\nseed {seed}, all found: {dict(made)}")


def test_the_log_itself_has_no_findings() -> None:
    assert _findings(_FILES) == []


def test_no_mutation_is_undetected() -> None:
    _campaign(CHEAP, 200, seed=20261124)
    _campaign((whole_tree, older), 10, seed=20261124)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_no_mutation_of_ten_thousand_is_undetected() -> None:
    seed = random.randrange(2**32)
    _campaign(CHEAP, 10_000, seed)
    _campaign((whole_tree, older), 500, seed)

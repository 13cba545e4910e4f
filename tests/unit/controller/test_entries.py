"""The files of the log's entries: real ones, with what crashes and refused commits leave behind."""

import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landfast.tlog import bundle
from landfast.tlog.bundle import Kind
from landfast.tlog.tiles import ENTRIES, WIDTH, Tile
from landfast_controller.entries import Entries, EntriesError, MissingError, Place, places
from landfast_controller.pages import read
from landfast_controller.store import LOG, NewEntry, Store, Transaction

_HASH = bytes(32)


class Log:
    """A log as the database tells of it: what is committed, and where."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = Entries(directory)
        self.entries: list[bytes] = []
        self.places: list[Place] = []

    def append(self, entries: list[bytes], is_committed: bool) -> None:
        end = self.places[-1].end if self.places else 0
        self.files.append(len(self.entries), end, entries)
        if is_committed:
            self.places += places(len(self.entries), end, map(len, entries))
            self.entries += entries

    def check(self, oldest: int = 0) -> None:
        if self.places:
            self.files.check(oldest, self.places[-1])

    def file(self, number: int) -> Path:
        return self.directory / Tile(ENTRIES, number).path


def _some(count: int, seed: int = 0) -> list[bytes]:
    dice = random.Random(seed)
    return [dice.randbytes(dice.randrange(9, 40)) for _ in range(count)]


@given(st.lists(st.tuples(st.integers(1, 300), st.booleans()), max_size=8))
def test_what_is_committed_is_read_whatever_was_not(tmp_path_factory: pytest.TempPathFactory, steps) -> None:
    log = Log(tmp_path_factory.mktemp("log"))
    for seed, (count, is_committed) in enumerate(steps):
        log.append(_some(count, seed), is_committed)
        log.check()
    assert log.files.read(log.places) == log.entries
    for number in range(-(-len(log.entries) // WIDTH)):
        members = log.entries[number * WIDTH : (number + 1) * WIDTH]
        last = log.places[number * WIDTH + len(members) - 1]
        assert log.files.bundle(number, last.offset + last.size) == bundle.encode(members)


def test_a_whole_file_is_a_bundle_though_more_was_there_that_was_not_committed(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(_some(700), is_committed=False)
    log.append(_some(WIDTH, seed=1), is_committed=True)
    log.append(_some(2, seed=2), is_committed=True)
    assert log.file(0).read_bytes() == bundle.encode(log.entries[:WIDTH])
    assert log.file(1).read_bytes() == bundle.encode(log.entries[WIDTH:])


def test_what_is_missing_is_told_and_nothing_is_removed(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(_some(600), is_committed=True)
    log.append(_some(300, seed=1), is_committed=False)
    log.check()
    assert log.file(3).exists(), "a database of an older backup does not know what else is there"
    os.truncate(log.file(2), log.places[-1].offset + 1)
    with pytest.raises(EntriesError, match="tile/entries/002 ends before entry 599 does; restore database and entries"):
        log.check()
    log.file(1).unlink()
    with pytest.raises(EntriesError, match="tile/entries/001 is missing; restore database and entries"):
        log.check()


def test_whole_bundles_are_removed(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(_some(600), is_committed=True)
    (tmp_path / "tile" / "entries" / "note.txt").write_text("mine")
    log.files.remove_before(0)
    log.files.remove_before(2 * WIDTH - 1)
    assert [log.file(number).exists() for number in range(3)] == [False, True, True]
    log.check(oldest=WIDTH)
    assert log.files.read(log.places[WIDTH:]) == log.entries[WIDTH:]
    with pytest.raises(MissingError, match="tile/entries/000 is missing"):
        log.files.read(log.places)
    with pytest.raises(MissingError, match="tile/entries/000 is missing"):
        log.files.bundle(0, 100)
    assert (tmp_path / "tile" / "entries" / "note.txt").exists(), "what is not ours stays"


def test_a_part_that_is_cut_off_is_no_entry(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.append(_some(3), is_committed=True)
    os.truncate(log.file(0), log.places[2].offset + 1)
    assert log.files.read(log.places[:2]) == log.entries[:2]
    with pytest.raises(EntriesError, match="tile/entries/000 ends before byte"):
        log.files.read(log.places)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.create(tmp_path / "landfast.db")
    yield made
    await made.close()


async def _append(transaction: Transaction, content: bytes, then: Exception | None = None) -> None:
    await transaction.append([NewEntry(Kind.CONTROL, content, _HASH)])
    if then:
        raise then


async def test_a_transaction_that_fails_leaves_nothing(store: Store, tmp_path: Path) -> None:
    await store.write(lambda transaction: _append(transaction, b"first"))
    with pytest.raises(ZeroDivisionError):
        await store.write(lambda transaction: _append(transaction, b"never, and longer", ZeroDivisionError()))
    assert store.head.index == 1
    await store.write(lambda transaction: _append(transaction, b"next"))
    page = await read(store, 0, 2, ())
    assert [entry.content for entry in page.entries] == [b"first", b"next"]
    assert (tmp_path / LOG / "tile" / "entries" / "000").read_bytes() == bundle.encode(
        [entry.encoded for entry in page.entries]
    )


async def test_several_appends_of_one_transaction_follow_each_other(store: Store) -> None:
    async def write(transaction: Transaction) -> None:
        for number in range(300):
            await _append(transaction, b"%d" % number)

    await store.write(write)
    found = [entry for start in range(0, 300, 32) for entry in (await read(store, start, 300, ())).entries]
    assert {entry.index: entry.content for entry in found} == {number: b"%d" % number for number in range(300)}


async def test_a_file_that_cannot_be_written_stores_nothing(store: Store, tmp_path: Path) -> None:
    await store.write(lambda transaction: _append(transaction, b"first"))
    file = tmp_path / LOG / "tile" / "entries" / "000"
    file.rename(file.with_name("away"))
    file.mkdir()
    with pytest.raises(EntriesError, match="000: Is a directory; make room, or mend the file system"):
        await store.write(lambda transaction: _append(transaction, b"second"))
    file.rmdir()
    file.with_name("away").rename(file)
    await store.write(lambda transaction: _append(transaction, b"third"))
    assert [entry.content for entry in (await read(store, 0, 2, ())).entries] == [b"first", b"third"]


async def test_an_entry_whose_bytes_are_spoilt_holds_up_no_reader(store: Store, tmp_path: Path) -> None:
    """Auditors find it, as altered; who follows the log, and the rules for incidents, go on."""
    for content in (b"first", b"second"):
        await store.write(lambda transaction, content=content: _append(transaction, content))
    with (tmp_path / LOG / "tile" / "entries" / "000").open("r+b") as file:
        file.write(bytes(20))
    page = await read(store, 0, 2, ())
    assert [(entry.index, entry.kind, entry.content) for entry in page.entries][1] == (1, Kind.CONTROL, b"second")


@pytest.mark.parametrize("harm", [lambda file: file.unlink(), lambda file: os.truncate(file, 10)])
async def test_nothing_is_added_behind_what_is_lost(store: Store, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    await store.write(lambda transaction: _append(transaction, b"first"))
    file = tmp_path / LOG / "tile" / "entries" / "000"
    harm(file)
    before = file.read_bytes() if file.exists() else None
    with pytest.raises(EntriesError, match="restore database and entries from one backup"):
        await store.write(lambda transaction: _append(transaction, b"second"))
    assert (file.read_bytes() if file.exists() else None) == before
    assert store.head.index == 1

"""What a database may prune, and when it says so: real files, with the times that they would have after months."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from landfast.tlog.bundle import Kind
from landfast.tlog.tiles import ENTRIES, Tile
from landfast_controller import config, schema
from landfast_controller.entries import EntriesError
from landfast_controller.errors import BadInputError, OutOfRangeError
from landfast_controller.exports import Reading
from landfast_controller.incidents.records import move
from landfast_controller.pages import read
from landfast_controller.pruning import records
from landfast_controller.resources import _bundle
from landfast_controller.store import NewEntry, Store, Transaction

_DAY_NS = 24 * 3600 * 10**9
_NOW_NS = time.time_ns()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.create(tmp_path / "landfast.db")
    yield made
    await made.close()


async def _append(store: Store, ago_days: float, number: int) -> None:
    async def write(transaction: Transaction) -> None:
        transaction.now_ns = _NOW_NS - int(ago_days * _DAY_NS)
        await transaction.append([NewEntry(Kind.CONTROL, b"", bytes(32))] * number)

    await store.write(write)


async def _publish(store: Store, ago_days: float, keep_days: int | None) -> bool:
    """Whether that makes an entry."""

    async def write(transaction: Transaction) -> bool:
        transaction.now_ns, before = _NOW_NS - int(ago_days * _DAY_NS), transaction.next_index
        await records.publish(transaction, None if keep_days is None else timedelta(days=keep_days), "myself")
        return transaction.next_index > before

    return await store.write(write)


async def _delete(transaction: Transaction, below: int) -> None:
    await transaction.connection.execute(delete(schema.log).where(schema.log.c.index < below))


async def _permitted(store: Store) -> int:
    async with store.reading() as connection:
        return await records.permitted(connection, _NOW_NS)


async def _announce(store: Store) -> tuple[int, int]:
    await store.write(lambda transaction: records.announce(transaction, "myself"))
    async with store.reading() as connection:
        return await records.newest(connection)


async def test_a_policy_is_told_when_it_changes_and_before_it_is_too_old(store: Store) -> None:
    assert not await _publish(store, 100, None), "for ever is what holds without a word"
    assert await _publish(store, 100, 30)
    assert not await _publish(store, 78, 30)
    assert await _publish(store, 77, 30), "it would hold up the pruning of what is 30 days old"
    assert await _publish(store, 70, 20)
    assert await _publish(store, 69, None)
    assert not await _publish(store, 1, None)
    assert await _publish(store, 0.5, 7)
    assert not await _publish(store, 0, 7), "at most one a day, however little is kept"


async def test_whole_bundles_that_are_old_enough_with_the_entry_after_them(store: Store) -> None:
    await _append(store, 50, 256)
    assert await _publish(store, 40, 30)
    assert await _permitted(store) == 256, "the policy itself is the oldest that stays"
    await _append(store, 31, 254)
    assert await _permitted(store) == 256
    await _append(store, 31, 1)
    assert await _publish(store, 17, 30)
    assert await _permitted(store) == 256, "entry 512 is too young to tell that 511 was old enough"


async def test_nothing_goes_beyond_the_policy_that_permits_it(store: Store) -> None:
    assert await _publish(store, 60, 30)
    await _append(store, 50, 600)
    assert await _permitted(store) == 0
    assert await _publish(store, 20, 30)
    assert await _permitted(store) == 512


async def test_what_rules_for_incidents_have_not_read_stays(store: Store) -> None:
    await _append(store, 50, 600)
    assert await _publish(store, 40, 30)
    await store.write(lambda transaction: move(transaction, 300))
    assert await _permitted(store) == 256


async def test_a_pruning_is_announced_once(store: Store) -> None:
    assert await _announce(store) == (0, 0)
    await _append(store, 50, 600)
    assert await _publish(store, 40, 30)
    assert await _announce(store) == (601, 512)
    assert await _announce(store) == (601, 512)


async def test_a_page_that_is_partly_pruned_is_refused(store: Store) -> None:
    await _append(store, 50, 300)
    store.entries.remove_before(256)
    with pytest.raises(EntriesError, match="tile/entries/000 is missing; restore database and entries from one backup"):
        await read(store, 255, 300, ())
    with pytest.raises(EntriesError, match="tile/entries/000 is missing"):
        await _bundle(store, Tile(ENTRIES, 0), 100)
    await store.write(lambda transaction: _delete(transaction, 256))
    with pytest.raises(OutOfRangeError, match="index 255: the log begins at index 256, stored at "):
        await read(store, 255, 300, ())
    with pytest.raises(OutOfRangeError, match="tile/entries/000: its entries are pruned"):
        await _bundle(store, Tile(ENTRIES, 0), 100)
    assert [entry.index for entry in (await read(store, 256, 300, ())).entries][:2] == [256, 257]


@pytest.mark.parametrize("keep", ['"6d"', '"0s"', "400", '"long"'])
def test_a_time_to_keep_that_gives_auditors_none(tmp_path: Path, keep: str) -> None:
    file = tmp_path / "controller.toml"
    file.write_text(f'directory = "/x"\n[log]\nkeep = {keep}\n')
    with pytest.raises(BadInputError, match="keep"):
        config.read(file)
    file.write_text('directory = "/x"\n[log]\nkeep = "7d"\n')
    assert config.read(file).log.keep == timedelta(days=7)


def test_readers_are_told_again_when_they_go_twice_as_far_back() -> None:
    reading = Reading("vera", 900, 1000, _NOW_NS)
    assert reading.covers(950, _NOW_NS)
    assert reading.covers(800, _NOW_NS)
    assert not reading.covers(799, _NOW_NS)
    assert not reading.covers(950, _NOW_NS + 3600 * 10**9)
    assert Reading("vera", 0, 1000, _NOW_NS).covers(0, _NOW_NS)


def test_who_goes_back_one_by_one_makes_few_entries() -> None:
    told = [Reading("vera", 10**4, 10**4, _NOW_NS)]
    for begin in range(10**4, -1, -1):
        if not told[-1].covers(begin, _NOW_NS):
            told.append(Reading("vera", begin, 10**4, _NOW_NS))
    assert len(told) <= 1 + (10**4).bit_length()

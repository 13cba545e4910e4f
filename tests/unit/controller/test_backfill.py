"""What is committed is moved into the database file while the writer goes on."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from landfast.tlog.bundle import Kind
from landfast_controller.beside import beside
from landfast_controller.store import NewEntry, Store
from tests.testbed.waiting import eventually

_SIZE, _COUNT = 50_000, 100


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.create(tmp_path / "landfast.db")
    yield made
    await made.close()


def _has(file: Path, size: int) -> bool:
    return file.stat().st_size > size


async def _append(store: Store, count: int) -> None:
    contents = [os.urandom(_SIZE) for _ in range(count)]
    entries = [NewEntry(Kind.CONTROL, each, hashlib.sha256(each).digest()) for each in contents]
    await store.write(lambda transaction: transaction.append(entries))


async def test_the_file_follows_while_the_writer_never_closes_it(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "landfast.db"
    async with beside(store.backfill()):
        for number in range(1, 4):
            await _append(store, _COUNT)
            await asyncio.to_thread(
                eventually, partial(_has, file, number * _COUNT * _SIZE), "what was committed is in the file"
            )


async def test_without_it_the_writer_moves_it_before_the_write_ahead_log_is_large(store: Store, tmp_path: Path) -> None:
    for _ in range(20):
        await _append(store, _COUNT)
    assert (tmp_path / "landfast.db-wal").stat().st_size < 80 << 20
    assert (tmp_path / "landfast.db").stat().st_size > 10 * _COUNT * _SIZE

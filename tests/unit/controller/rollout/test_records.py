"""What is written down of rollouts, in a real database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from landfast.v1.rollout_pb2 import Rollout
from landfast_controller.rollout import records
from landfast_controller.rollout.denials import Reference, Sample
from landfast_controller.rollout.placement import Placement
from landfast_controller.rollout.records import Progress
from landfast_controller.store import Store

_STAGED = ("canary", "all")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = await Store.create(tmp_path / "landfast.db")
    yield made
    await made.close()


async def _begin(store: Store, version: int, stages: tuple[str, ...]) -> int:
    return await store.write(lambda transaction: records.begin(transaction, version, stages, ""))


async def _newest(store: Store) -> Progress:
    async with store.reading() as connection:
        found = await records.newest(connection)
    assert found
    return found


async def test_a_version_in_stages_leaves_everybody_where_they_are(store: Store) -> None:
    assert await _begin(store, 1, ("all",)) == 1
    assert await _begin(store, 2, _STAGED) == 1
    assert await _begin(store, 3, _STAGED) == 1
    found = await _newest(store)
    assert (found.version, found.base, found.everybody, found.is_conducted) == (3, 1, 1, True)
    await store.write(lambda transaction: records.turn(transaction, 3, Rollout.STATE_DONE, "controller", "done"))
    assert (await _newest(store)).everybody == 3
    assert await _begin(store, 4, _STAGED) == 3


async def test_the_first_version_in_stages_leaves_everybody_without_one(store: Store) -> None:
    assert await _begin(store, 1, _STAGED) == 0


async def test_what_a_host_was_given_is_never_lowered(store: Store) -> None:
    reference = Reference(Sample(5, 7, 11), 0.5, 0.25)
    for version, known in ((2, None), (3, reference), (2, None)):
        await store.write(lambda tx, version=version, known=known: records.place(tx, version, {"hall": known}))
    async with store.reading() as connection:
        placed = await records.placed(connection)
        assert await records.placed(connection, above=3) == {}
    assert (placed["hall"].version, placed["hall"].reference, placed["hall"].excused) == (3, reference, False)


async def test_what_is_in_memory_is_what_a_restart_reads(store: Store) -> None:
    await _begin(store, 1, ("all",))
    await _begin(store, 2, _STAGED)
    await store.write(lambda transaction: records.place(transaction, 2, {"hall": None}))
    async with store.reading() as connection:
        found = await Placement.load(store, connection)
    assert (found.of("hall"), found.of("other")) == (2, 1)
    found.give(2, ["other"])
    found.give(1, ["hall"])
    assert (found.of("hall"), found.of("other")) == (2, 2)
    found.reach(3)
    found.reach(2)
    assert await found.after("hall", 2) == 3

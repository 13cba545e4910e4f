"""Waking everybody who waits, at once."""

import asyncio

from landfast_controller.bell import Bell


async def test_all_that_wait_are_woken_in_one_turn_of_the_loop() -> None:
    bell, awake, holds = Bell(), [], False

    async def wait(number: int) -> None:
        await bell.until(lambda: holds)
        awake.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(23):
            tasks.create_task(wait(number))
        await asyncio.sleep(0)
        bell.ring()
        await asyncio.sleep(0)
        assert awake == []
        holds = True
        bell.ring()
        await asyncio.sleep(0)  # the events are set, and their waiters are called
        assert awake == list(range(23))


async def test_who_comes_when_it_holds_does_not_wait() -> None:
    await Bell().until(lambda: True)


async def test_who_is_cancelled_holds_up_nobody() -> None:
    bell, holds = Bell(), False
    gone, stays = (asyncio.create_task(bell.until(lambda: holds)) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    holds = True
    bell.ring()
    await asyncio.wait_for(stays, 5)
    assert gone.cancelled()

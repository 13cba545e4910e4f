import asyncio

import pytest

from landfast_controller.beside import beside


async def _forever(ended: list[str]) -> None:
    try:
        await asyncio.sleep(60)
    finally:
        ended.append("ended")


async def _fails() -> None:
    await asyncio.sleep(0)
    raise KeyError("work")


async def test_the_work_ends_with_the_body() -> None:
    ended: list[str] = []
    async with beside(_forever(ended)):
        await asyncio.sleep(0)
    assert ended == ["ended"]


async def test_an_error_of_the_body_is_raised_as_such() -> None:
    ended: list[str] = []

    async def run() -> None:
        async with beside(_forever(ended)):
            await asyncio.sleep(0)
            raise ValueError("body")

    with pytest.raises(ValueError, match="body"):
        await run()
    assert ended == ["ended"]


async def test_an_error_of_the_work_ends_the_body_and_is_raised_as_such() -> None:
    with pytest.raises(KeyError, match="work"):
        async with beside(_fails()):
            await asyncio.sleep(60)


async def test_cancelling_ends_both() -> None:
    ended: list[str] = []

    async def run() -> None:
        async with beside(_forever(ended)):
            await asyncio.sleep(60)

    task = asyncio.ensure_future(run())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]

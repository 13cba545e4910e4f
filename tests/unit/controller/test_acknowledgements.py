"""What a host is told of batches that wait for their commit: all that is durable, and before anything is refused."""

import asyncio
from asyncio import Future

import pytest

from landfast_controller.errors import ConflictError, RefusedError
from landfast_controller.services.agent import _settled


def _stored(last: int) -> "Future[int]":
    made: Future[int] = asyncio.get_running_loop().create_future()
    made.set_result(last)
    return made


def _refused() -> "Future[int]":
    made: Future[int] = asyncio.get_running_loop().create_future()
    made.set_exception(ConflictError("another batch is stored under these numbers"))
    return made


def _queue(*waiting: "Future[int] | None") -> "asyncio.Queue[Future[int] | None]":
    made: asyncio.Queue[Future[int] | None] = asyncio.Queue()
    for each in waiting:
        made.put_nowait(each)
    return made


async def test_what_is_durable_at_once_is_told_by_the_newest():
    assert [told async for told in _settled(_queue(_stored(3), _stored(7), _stored(9), None))] == [9]


async def test_nobody_waits_for_the_commit_of_a_later_batch():
    later: Future[int] = asyncio.get_running_loop().create_future()
    told = _settled(_queue(_stored(3), _stored(7), later, None))
    assert await asyncio.wait_for(anext(told), 1) == 7
    later.set_result(9)
    assert [each async for each in told] == [9]


async def test_the_last_one_that_has_come_is_told_though_the_stream_goes_on():
    waiting = _queue(_stored(3), _stored(7))
    told = _settled(waiting)
    assert await asyncio.wait_for(anext(told), 1) == 7
    waiting.put_nowait(_stored(9))
    assert await asyncio.wait_for(anext(told), 1) == 9
    waiting.put_nowait(None)
    assert [each async for each in told] == []


async def test_what_is_durable_is_told_before_the_refusal_of_the_next_one():
    told = _settled(_queue(_stored(3), _stored(7), _refused(), _stored(9), None))
    assert await anext(told) == 7
    with pytest.raises(RefusedError, match="another batch"):
        await anext(told)

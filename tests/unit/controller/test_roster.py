import asyncio
import time

import pytest

from landfast.identity import Role, SpiffeId
from landfast_controller.callers import Caller
from landfast_controller.errors import NotAuthenticatedError, NotPermittedError
from landfast_controller.roster import Roster

_ALICE = Caller(SpiffeId("d", Role.OPERATOR, "alice"), "a1")


def _roster(seconds: float = 60) -> Roster:
    roster = Roster()
    roster.admit(_ALICE.serial, time.time_ns() + int(seconds * 1e9))
    return roster


def test_nobody_is_valid_without_being_admitted() -> None:
    with pytest.raises(NotAuthenticatedError, match="operator/alice"):
        Roster().check(_ALICE)


def test_a_valid_certificate_passes_until_it_expires() -> None:
    _roster().check(_ALICE)
    with pytest.raises(NotAuthenticatedError, match="expired"):
        _roster(-1).check(_ALICE)


async def test_a_guarded_body_ends_by_itself() -> None:
    async with _roster().guard(_ALICE):
        await asyncio.sleep(0)


async def test_withdrawing_ends_every_guarded_body() -> None:
    roster = _roster()

    async def wait() -> None:
        async with roster.guard(_ALICE):
            await asyncio.sleep(60)

    bodies = [asyncio.ensure_future(wait()) for _ in range(7)]
    await asyncio.sleep(0)
    roster.withdraw([_ALICE.serial])
    results = await asyncio.wait_for(asyncio.gather(*bodies, return_exceptions=True), 1)
    assert [type(result) for result in results] == [NotAuthenticatedError] * 7


async def test_a_ban_ends_what_its_host_has_open_and_nothing_else() -> None:
    roster = _roster()
    hosts = [Caller(SpiffeId("d", Role.AGENT, name), f"h{serial}") for serial, name in enumerate(("hall", "hall", "x"))]
    for host in hosts:
        roster.admit(host.serial, time.time_ns() + 60 * 10**9)

    async def wait(host: Caller) -> None:
        async with roster.guard(host):
            await asyncio.sleep(0.5)

    bodies = [asyncio.ensure_future(wait(host)) for host in hosts]
    await asyncio.sleep(0)
    roster.ban("hall", "stolen")
    results = await asyncio.gather(*bodies, return_exceptions=True)
    assert [type(result) for result in results] == [NotPermittedError, NotPermittedError, type(None)]
    with pytest.raises(NotPermittedError, match=r"host hall is banned: stolen; .*landfast fleet unban hall"):
        roster.check(hosts[0])
    roster.unban("hall")
    roster.check(hosts[0])


async def test_expiry_ends_a_guarded_body_within_a_tick() -> None:
    roster = _roster(0.1)
    watching = asyncio.ensure_future(roster.watch())
    try:
        with pytest.raises(NotAuthenticatedError, match="expired"):
            async with roster.guard(_ALICE):
                await asyncio.sleep(60)
    finally:
        watching.cancel()


async def test_a_body_that_takes_long_to_end_may_be_cut_again() -> None:
    roster = _roster()

    async def wait() -> None:
        async with roster.guard(_ALICE):
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.2)

    body = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    for _ in range(3):
        roster.withdraw([_ALICE.serial])
        await asyncio.sleep(0.02)
    with pytest.raises(NotAuthenticatedError):
        await body


async def test_a_timeout_of_the_bodys_own_stays_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        async with _roster().guard(_ALICE), asyncio.timeout(0):
            await asyncio.sleep(60)

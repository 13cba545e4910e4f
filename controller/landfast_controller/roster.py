"""Certificates that are valid now, and the calls that live by them.

A connection outlives the certificate that opened it (gRPC looks at it once), so every call asks here, and an open
stream is cut here: at once when its certificate is revoked, within a second when it expires.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast_controller import schema
from landfast_controller.callers import Caller
from landfast_controller.errors import NotAuthenticatedError

_TICK_S = 1.0


class Roster:
    """Serial numbers of the certificates that are neither revoked nor forgotten, with their expiry."""

    def __init__(self) -> None:
        self._expires_ns: dict[str, int] = {}
        self._open: defaultdict[str, set[asyncio.Timeout]] = defaultdict(set)

    async def load(self, connection: AsyncConnection) -> None:
        table = schema.identities
        valid = select(table.c.serial, table.c.expires_ns).where(
            table.c.revoked_ns.is_(None), table.c.expires_ns > time.time_ns()
        )
        for row in await connection.execute(valid):
            self.admit(row.serial, row.expires_ns)

    def admit(self, serial: str, expires_ns: int) -> None:
        self._expires_ns[serial] = expires_ns

    def withdraw(self, serial: str) -> None:
        """Ends the certificate and the calls that are open by it."""
        self._expires_ns.pop(serial, None)
        self._cut(serial)

    def check(self, caller: Caller) -> None:
        """Raises NotAuthenticatedError when the certificate of `caller` is not valid now."""
        expires_ns = self._expires_ns.get(caller.serial)
        if expires_ns is None:
            raise NotAuthenticatedError(
                f"the certificate of {caller.id} (serial {caller.serial}) has been revoked, has expired or is not of "
                "this controller; ask an approver for a new identity, or enrol the host again"
            )
        if expires_ns <= time.time_ns():
            raise NotAuthenticatedError(
                f"the certificate of {caller.id} has expired; ask an approver for a new identity"
            )

    @asynccontextmanager
    async def guard(self, caller: Caller) -> AsyncIterator[None]:
        """Runs its body for as long as the certificate is valid, then raises NotAuthenticatedError in it."""
        self.check(caller)
        try:
            async with asyncio.timeout(None) as limit:
                self._open[caller.serial].add(limit)
                try:
                    yield
                finally:
                    self._release(caller.serial, limit)
        except TimeoutError:
            self.check(caller)
            raise

    async def watch(self) -> None:
        """Cuts the calls whose certificate has expired. Runs for as long as the controller."""
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.time_ns()
            for serial in [serial for serial in self._open if self._expires_ns.get(serial, 0) <= now]:
                self._cut(serial)

    def _cut(self, serial: str) -> None:
        for limit in self._open.get(serial, ()):
            limit.reschedule(0)

    def _release(self, serial: str, limit: asyncio.Timeout) -> None:
        self._open[serial].discard(limit)
        if not self._open[serial]:
            del self._open[serial]

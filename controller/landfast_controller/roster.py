"""Who may call now, and the calls that live by that.

A connection outlives the certificate that opened it (gRPC looks at it once), so every call asks here, and an open
stream is cut here: at once when its certificate is revoked or its host is banned, within a second when it expires.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from cryptography import x509
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.identity import Role
from landfast_controller import schema
from landfast_controller.authority import serial_of
from landfast_controller.callers import Caller
from landfast_controller.errors import NotAuthenticatedError
from landfast_controller.identities import expiry_ns
from landfast_controller.membership import banned

_TICK_S = 1.0
_HOSTS = (Role.AGENT, Role.RECOVER)


class Roster:
    """Serial numbers of the certificates that are neither revoked nor forgotten, with their expiry; banned hosts."""

    def __init__(self) -> None:
        self._expires_ns: dict[str, int] = {}
        self._banned: dict[str, str] = {}
        self._open: defaultdict[Caller, set[asyncio.Timeout]] = defaultdict(set)

    async def load(self, connection: AsyncConnection) -> None:
        table, hosts = schema.identities, schema.hosts
        valid = select(table.c.serial, table.c.expires_ns).where(
            table.c.revoked_ns.is_(None), table.c.expires_ns > time.time_ns()
        )
        for row in await connection.execute(valid):
            self.admit(row.serial, row.expires_ns)
        banned = select(hosts.c.name, hosts.c.ban_reason).where(hosts.c.banned_ns.is_not(None))
        for row in await connection.execute(banned):
            self.ban(row.name, row.ban_reason)

    def admit(self, serial: str, expires_ns: int) -> None:
        self._expires_ns[serial] = expires_ns

    def admit_all(self, certificates: Iterable[x509.Certificate]) -> None:
        for certificate in certificates:
            self.admit(serial_of(certificate), expiry_ns(certificate))

    def withdraw(self, serials: Iterable[str]) -> None:
        """Ends certificates and the calls that are open by them."""
        ended = set(serials)
        for serial in ended:
            self._expires_ns.pop(serial, None)
        self._cut(lambda caller: caller.serial in ended)

    def ban(self, host: str, reason: str) -> None:
        """Lets the host call nothing any more, and ends the calls that it has open."""
        self._banned[host] = reason
        self._cut(lambda caller: caller.role in _HOSTS and caller.name == host)

    def unban(self, host: str) -> None:
        self._banned.pop(host, None)

    def check(self, caller: Caller) -> None:
        """Raises NotAuthenticatedError when the certificate of `caller` is not valid now, or NotPermittedError when
        its host is banned.
        """
        if caller.role in _HOSTS and caller.name in self._banned:
            raise banned(caller.name, self._banned[caller.name])
        self._check_certificate(caller)

    def _check_certificate(self, caller: Caller) -> None:
        expires_ns = self._expires_ns.get(caller.serial)
        if expires_ns is None:
            raise NotAuthenticatedError(
                f"the certificate of {caller.id} (serial {caller.serial}) has been revoked, has expired or is not of "
                "this controller; ask an approver for a new identity, or enrol the host again"
            )
        if expires_ns <= time.time_ns():
            raise NotAuthenticatedError(
                f"the certificate of {caller.id} has expired; ask an approver for a new identity, or enrol the host "
                "again"
            )

    @asynccontextmanager
    async def guard(self, caller: Caller) -> AsyncIterator[None]:
        """Runs its body for as long as the caller may call, then raises what `check` says in it."""
        self.check(caller)
        try:
            async with asyncio.timeout(None) as limit:
                self._open[caller].add(limit)
                try:
                    yield
                finally:
                    self._release(caller, limit)
        except TimeoutError:
            self.check(caller)
            raise

    async def watch(self) -> None:
        """Cuts the calls whose certificate has expired. Runs for as long as the controller."""
        while True:
            await asyncio.sleep(_TICK_S)
            self._cut(self._has_expired)

    def _has_expired(self, caller: Caller) -> bool:
        return self._expires_ns.get(caller.serial, 0) <= time.time_ns()

    def _cut(self, ends: Callable[[Caller], bool]) -> None:
        for caller in filter(ends, self._open):
            for limit in self._open[caller]:
                if not limit.expired():  # one that was cut may still be writing its last words
                    limit.reschedule(0)

    def _release(self, caller: Caller, limit: asyncio.Timeout) -> None:
        self._open[caller].discard(limit)
        if not self._open[caller]:
            del self._open[caller]

"""Certificates of hosts: issued in pairs, renewed, put to use, ended.

A pair is two certificates of one key. `agent/HOST` is for everything that a host does, and short-lived. `recover/HOST`
is for Renew alone and lasts longer, so that a host that was away comes back without a person. (It is a certificate, and
no grace that we give an expired one, since TLS lets no expired one in.)

A renewed pair is pending until the host uses it: an answer that is lost on the way, or a key that the host could not
store, locks nobody out. A host has at most one pair in use and one that is pending.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import ColumnElement, delete, select, update

from landfast.identity import Role, SpiffeId
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import identities, schema
from landfast_controller.actions import action
from landfast_controller.authority import Authority, serial_of
from landfast_controller.callers import Caller
from landfast_controller.errors import NotAuthenticatedError
from landfast_controller.store import Transaction

_table = schema.identities


@dataclass(frozen=True)
class Lifetimes:
    """Of new pairs. `recovery` counts from the end of `agent`; none is issued when it is nothing."""

    agent: timedelta
    recovery: timedelta


@dataclass(frozen=True)
class Pair:
    """What a host is given for one key."""

    host: str
    agent: x509.Certificate
    recovery: x509.Certificate | None

    def __iter__(self) -> Iterator[x509.Certificate]:
        yield self.agent
        if self.recovery:
            yield self.recovery

    @property
    def pem(self) -> tuple[bytes, bytes]:
        """Both certificates; the second is empty when there is none."""
        recovery = self.recovery.public_bytes(Encoding.PEM) if self.recovery else b""
        return self.agent.public_bytes(Encoding.PEM), recovery


@dataclass(frozen=True)
class Issued:
    """A pair that is recorded, and the serial numbers that end with that: to be withdrawn after the commit."""

    pair: Pair
    ended: list[str]


def issue(authority: Authority, host: str, key: ec.EllipticCurvePublicKey, lifetimes: Lifetimes) -> Pair:
    """A pair that is not recorded yet."""

    def certificate(role: Role, lifetime: timedelta) -> x509.Certificate:
        return authority.issue(SpiffeId(authority.domain, role, host), key, lifetime)

    agent = certificate(Role.AGENT, lifetimes.agent)
    recovers = bool(lifetimes.recovery)
    return Pair(host, agent, certificate(Role.RECOVER, lifetimes.agent + lifetimes.recovery) if recovers else None)


async def add(transaction: Transaction, pair: Pair, created_by: object, *, pending: bool) -> None:
    for certificate in pair:
        await identities.add(transaction, certificate, created_by, pending=pending)


async def renew(transaction: Transaction, caller: Caller, pair: Pair) -> Issued:
    """Records `pair` as pending for the caller's host, in place of one that was pending before."""
    ended = await use(transaction, caller)
    ended += await _end(transaction, caller.name, _table.c.pending == 1)
    await add(transaction, pair, caller.id, pending=True)
    expires = pair.agent.not_valid_after_utc
    words = f"host {pair.host} renewed its certificate, until {expires:%Y-%m-%d %H:%M:%S} UTC"
    serial = serial_of(pair.agent)
    await transaction.record(action(ControlAction.KIND_HOST_RENEWED, caller.id, pair.host, words, serial=serial))
    return Issued(pair, ended)


async def use(transaction: Transaction, caller: Caller) -> list[str]:
    """Makes the caller's pair the one in use, if it was pending; returns the serial numbers that end with that.

    Raises NotAuthenticatedError when the pair was ended since the caller was let in.
    """
    mine = select(_table.c.pending).where(_table.c.serial == caller.serial)
    pending = (await transaction.connection.execute(mine)).scalar_one_or_none()
    if pending is None:
        raise NotAuthenticatedError(f"the certificate of {caller.id} (serial {caller.serial}) has just been ended")
    if not pending:
        return []
    ended = await _end(transaction, caller.name, _table.c.pending == 0)
    await transaction.connection.execute(update(_table).where(*_of(caller.name)).values(pending=0))
    return ended


async def end(transaction: Transaction, host: str) -> list[str]:
    """Ends all certificates of a host; returns their serial numbers."""
    return await _end(transaction, host)


async def _end(transaction: Transaction, host: str, *which: ColumnElement[bool]) -> list[str]:
    """Forgets them: who issued them to whom is in the log, and an unknown one is not let in."""
    rows = delete(_table).where(*_of(host), *which).returning(_table.c.serial)
    return list((await transaction.connection.execute(rows)).scalars())


def _of(host: str) -> tuple[ColumnElement[bool], ...]:
    return _table.c.role.in_((Role.AGENT, Role.RECOVER)), _table.c.name == host

"""Shadows: candidates that judge on hosts, beside the policy in force. Who has which, and what hosts say of them."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.batch import BatchView
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.shadow_pb2 import Shadow, ShadowState
from landfast_controller import schema
from landfast_controller.actions import action
from landfast_controller.bell import Bell
from landfast_controller.callers import Caller
from landfast_controller.errors import ConflictError, NotFoundError
from landfast_controller.membership import not_enrolled
from landfast_controller.store import Store, Transaction

_shadows, _shadowed, _hosts = schema.shadows, schema.shadowed, schema.hosts

_NAMED = 100  # hosts that an entry of the log names

#: Shadows of hosts, with the host's own part of it.
_BOTH = select(_shadowed, *(column for column in _shadows.c if column.name not in ("id", "canonical"))).join_from(
    _shadowed, _shadows, _shadowed.c.shadow == _shadows.c.id
)


class NewShadow(NamedTuple):
    """A candidate that was found to be in order."""

    canonical: bytes
    digest: bytes
    lifetime_ns: int
    reason: str


class Shadows:
    """What hosts are to judge by now. Kept in memory beside the database, for the streams of the hosts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_host: dict[str, Shadow] = {}
        self._changed = Bell()
        self._turn = asyncio.Lock()  # memory follows the database in the same order

    async def load(self, connection: AsyncConnection) -> None:
        going_on = _BOTH.where(_shadowed.c.stopped_ns.is_(None), _shadows.c.until_ns > time.time_ns())
        for row in await connection.execute(going_on.add_columns(_shadows.c.canonical)):
            self._by_host[row.host] = _shadow(row.canonical, row.digest, row.until_ns)

    async def start(self, actor: Caller, new: NewShadow, hosts: Sequence[str]) -> Sequence[str]:
        """Gives `new` to `hosts`, or to all; who that is.

        Raises NotFoundError or ConflictError, and then gives it to nobody.
        """
        async with self._turn:
            until_ns, names = await self._store.write(lambda transaction: _start(transaction, actor, new, hosts))
            self._publish(dict.fromkeys(names, _shadow(new.canonical, new.digest, until_ns)))
        return names

    async def stop(self, actor: Caller, hosts: Sequence[str], reason: str) -> Sequence[str]:
        """Ends what `hosts` judge by, or all; who that was. Raises NotFoundError when one of them has no shadow."""
        async with self._turn:
            names = await self._store.write(lambda transaction: _stop(transaction, actor, hosts, reason))
            self._publish(dict.fromkeys(names, Shadow()))
        return names

    async def after(self, host: str, told: Shadow) -> Shadow:
        """Waits until `host` is to judge by something else than it was told; an empty one means by nothing."""
        await self._changed.until(lambda: not _same(self._of(host), told))
        return self._of(host)

    def _of(self, host: str) -> Shadow:
        found = self._by_host.get(host)
        return found if found and found.until.ToNanoseconds() > time.time_ns() else Shadow()

    def _publish(self, shadows: dict[str, Shadow]) -> None:
        self._by_host |= shadows
        self._changed.ring()


async def reported(transaction: Transaction, view: BatchView) -> None:
    """Keeps what a batch of the log tells of its host's newest shadow."""
    for notice in view.message.notices:
        if notice.HasField("shadow"):
            digest = select(_shadows.c.digest).where(_shadows.c.id == _shadowed.c.shadow).scalar_subquery()
            row = update(_shadowed).where(_shadowed.c.host == view.host, digest == notice.shadow.digest)
            values = {"report": notice.shadow.SerializeToString(), "reported_ns": transaction.now_ns}
            await transaction.connection.execute(row.values(**values))


async def listed(connection: AsyncConnection, hosts: Sequence[str] = ()) -> list[ShadowState]:
    """The newest shadow of each of `hosts`, or of all, by host."""
    query = _BOTH.order_by(_shadowed.c.host)
    rows = await connection.execute(query.where(_shadowed.c.host.in_(hosts)) if hosts else query)
    return [_message(row) for row in rows]


async def _start(
    transaction: Transaction, actor: Caller, new: NewShadow, hosts: Sequence[str]
) -> tuple[int, Sequence[str]]:
    names = await _enrolled(transaction, hosts)
    _check_free((await transaction.connection.execute(_going_on(transaction))).all(), names)
    until_ns = transaction.now_ns + new.lifetime_ns
    row = {"author": str(actor.id), "reason": new.reason, "started_ns": transaction.now_ns, "until_ns": until_ns}
    row |= {"digest": new.digest, "canonical": new.canonical}
    added = await transaction.connection.execute(insert(_shadows).values(**row))
    assert added.inserted_primary_key
    number = int(added.inserted_primary_key[0])
    await _assign(transaction, number, names)
    words = f"shadow {new.digest.hex()[:16]} begins on {_told(names)}: {new.reason}"
    fields = {"digest": new.digest.hex(), "hosts": ",".join(names[:_NAMED]), "reason": new.reason}
    await transaction.record(action(ControlAction.KIND_SHADOW_STARTED, actor.id, str(number), words, **fields))
    return until_ns, names


async def _assign(transaction: Transaction, number: int, hosts: Sequence[str]) -> None:
    """Makes a shadow the newest one of `hosts`, and forgets those that are nobody's any more."""
    begun = {"shadow": number, "stopped_ns": None, "reported_ns": None, "report": b""}
    statement = upsert(_shadowed).values([{"host": name} | begun for name in hosts])
    await transaction.connection.execute(statement.on_conflict_do_update(index_elements=["host"], set_=begun))
    await transaction.connection.execute(delete(_shadows).where(_shadows.c.id.not_in(select(_shadowed.c.shadow))))


async def _enrolled(transaction: Transaction, hosts: Sequence[str]) -> Sequence[str]:
    """`hosts`, or all that there are."""
    known = (await transaction.connection.execute(select(_hosts.c.name).order_by(_hosts.c.name))).scalars().all()
    for name in hosts:
        if name not in known:
            raise not_enrolled(name)
    if not known:
        raise ConflictError("no host is enrolled yet; make a token with `landfast fleet token create`")
    return sorted(set(hosts)) if hosts else known


def _check_free(going_on: Sequence[Row[tuple[object, ...]]], hosts: Sequence[str]) -> None:
    if busy := next((row for row in going_on if row.host in hosts), None):
        raise ConflictError(
            f"host {busy.host} has shadow {busy.digest.hex()[:16]} already ({busy.reason}); wait until it is over, or "
            f"end it: landfast shadow stop --host {busy.host} --reason WHY"
        )


async def _stop(transaction: Transaction, actor: Caller, hosts: Sequence[str], reason: str) -> Sequence[str]:
    rows = (await transaction.connection.execute(_going_on(transaction))).all()
    names = [row.host for row in rows if not hosts or row.host in hosts]
    if missing := sorted(set(hosts) - set(names)):
        raise NotFoundError(f"host {missing[0]} has no shadow now; `landfast shadow status` shows who has one")
    if not names:
        raise NotFoundError("no host has a shadow now; nothing is left to do")
    ended = update(_shadowed).where(_shadowed.c.host.in_(names)).values(stopped_ns=transaction.now_ns)
    await transaction.connection.execute(ended)
    numbers = ",".join(sorted({str(row.shadow) for row in rows if row.host in names}))
    words, kind = f"shadow ends on {_told(names)}: {reason}", ControlAction.KIND_SHADOW_STOPPED
    await transaction.record(action(kind, actor.id, numbers, words, hosts=",".join(names[:_NAMED]), reason=reason))
    return names


def _going_on(transaction: Transaction) -> Select[tuple[object, ...]]:
    return _BOTH.where(_shadowed.c.stopped_ns.is_(None), _shadows.c.until_ns > transaction.now_ns)


def _told(hosts: Sequence[str]) -> str:
    return f"host {hosts[0]}" if len(hosts) == 1 else f"{len(hosts)} hosts"


def _shadow(canonical: bytes, digest: bytes, until_ns: int) -> Shadow:
    made = Shadow(canonical=canonical, digest=digest)
    made.until.FromSeconds(until_ns // 10**9)
    return made


def _same(one: Shadow, other: Shadow) -> bool:
    """Whether they are the same one: what a host says of its own is without the policy."""
    return (one.digest, one.until.seconds) == (other.digest, other.until.seconds)


def _message(row: Row[tuple[object, ...]]) -> ShadowState:
    """The wire form of a row."""
    state = ShadowState(host=row.host, digest=row.digest, author=row.author, reason=row.reason)
    state.started.FromNanoseconds(row.started_ns)
    state.until.FromNanoseconds(row.until_ns)
    if row.stopped_ns is not None:
        state.stopped.FromNanoseconds(row.stopped_ns)
    if row.reported_ns is not None:
        state.report.ParseFromString(row.report)
        state.reported.FromNanoseconds(row.reported_ns)
    return state

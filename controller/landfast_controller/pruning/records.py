"""Policies of retention and announced prunings, in the log and, for our own use, in tables beside it."""

from datetime import timedelta

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast import retention
from landfast.retention import NOTICE_S, Policy
from landfast.tlog.tiles import WIDTH
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import schema
from landfast_controller.actions import action
from landfast_controller.store import Transaction

_NS, _DAY_S = 10**9, 24 * 3600

_log, _policies, _prunings, _cursor = schema.log.c, schema.retention, schema.prunings, schema.incident_cursor.c


async def publish(transaction: Transaction, keep: timedelta | None, actor: object) -> None:
    """Puts the policy into the log unless the newest there says the same, and is as new as need be.

    It is said again in time: nothing is pruned beyond the newest policy that has stood for the notice.
    """
    history = await _history(transaction.connection)
    keep_s = int(keep.total_seconds()) if keep is not None else None
    if (history[-1].keep_s if history else None) == keep_s and not _is_to_be_repeated(history, transaction.now_ns):
        return
    policy = Policy(transaction.next_index, transaction.now_ns, keep_s)
    fields = {} if keep_s is None else {"keep_s": keep_s}
    words = f"entries of the log are kept {policy.words}"
    await transaction.record(action(ControlAction.KIND_RETENTION_POLICY, actor, "log", words, **fields))
    row = {"index": policy.index, "published_ns": policy.published_ns, "keep_s": keep_s}
    await transaction.connection.execute(insert(_policies).values(**row))


def _is_to_be_repeated(history: list[Policy], now_ns: int) -> bool:
    if not history or history[-1].keep_s is None:
        return False
    period_s = max(history[-1].keep_s - NOTICE_S, _DAY_S)
    return now_ns - history[-1].published_ns >= period_s * _NS


async def announce(transaction: Transaction, actor: object) -> None:
    """Says which entries go next, when there is a bundle of them."""
    below, (_, told) = await permitted(transaction.connection, transaction.now_ns), await newest(transaction.connection)
    if below <= told:
        return
    index, words = transaction.next_index, f"the entries below {below} are pruned"
    await transaction.record(action(ControlAction.KIND_LOG_PRUNED, actor, str(below), words))
    await transaction.connection.execute(insert(_prunings).values(index=index, below=below))


async def permitted(connection: AsyncConnection, now_ns: int) -> int:
    """The index up to which entries may be pruned now: the beginning of a bundle, 0 for none.

    The first entry that stays is old enough as well, so that whoever has nothing but what stays can judge it. What the
    rules for incidents have not read yet stays, too.
    """
    permission = retention.permission(await _history(connection), now_ns)
    if permission is None or permission.deciding.keep_s is None:
        return 0
    old = select(_log.index).where(_log.received_ns <= now_ns - permission.deciding.keep_s * _NS)
    last = await connection.scalar(old.order_by(_log.received_ns.desc(), _log.index.desc()).limit(1))
    unread = await connection.scalar(select(_cursor.next))
    bounds: list[int] = [last or 0, permission.standing.index, *([] if unread is None else [unread])]
    return min(bounds) // WIDTH * WIDTH


async def newest(connection: AsyncConnection) -> tuple[int, int]:
    """The newest announcement: its index, and the index below which entries go. (0, 0) when there is none."""
    query = select(_prunings.c.index, _prunings.c.below).order_by(_prunings.c.index.desc()).limit(1)
    index, below = (await connection.execute(query)).one_or_none() or (0, 0)
    return index, below


async def oldest(connection: AsyncConnection) -> int:
    """Index of the oldest entry that is there: the minimum index of https://c2sp.org/tlog-tiles."""
    index: int | None = await connection.scalar(select(func.min(_log.index)))
    return index or 0


async def _history(connection: AsyncConnection) -> list[Policy]:
    return [Policy(*row) for row in await connection.execute(select(_policies).order_by(_policies.c.index))]

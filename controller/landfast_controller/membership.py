"""Who is let in no more: hosts that are banned, and hosts that are evicted.

A ban is a door that is shut: the host's certificates stay what they are, it may renew none, and an approver opens the
door again. An eviction ends the certificates: a key that may be known to others is worth nothing any more, and the host
comes back only with a token of its name. Who is not sure whether the host itself is sound does both.
"""

from sqlalchemy import select, update

from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import hosts, renewal, schema
from landfast_controller.actions import action
from landfast_controller.callers import Caller
from landfast_controller.errors import ConflictError, NotFoundError, NotPermittedError
from landfast_controller.store import Transaction

_hosts = schema.hosts


def banned(host: str, reason: str) -> NotPermittedError:
    """What a banned host is told."""
    return NotPermittedError(
        f"host {host} is banned: {reason}; an approver can end that (landfast fleet unban {host} --reason WHY)"
    )


async def ban(transaction: Transaction, actor: Caller, host: str, reason: str) -> None:
    """Shuts the host out; to be told to the roster after the commit."""
    if await _is_banned(transaction, host):
        raise ConflictError(f"host {host} is banned already; `landfast fleet show {host}` tells since when and why")
    await _set(transaction, host, transaction.now_ns, actor, reason)
    kind = ControlAction.KIND_HOST_BANNED
    await transaction.record(action(kind, actor.id, host, f"host {host} banned: {reason}", reason=reason))


async def unban(transaction: Transaction, actor: Caller, host: str, reason: str) -> None:
    """Lets the host in again, with the certificates that it has."""
    if not await _is_banned(transaction, host):
        raise ConflictError(f"host {host} is not banned; nothing is left to do")
    await _set(transaction, host, None, None, "")
    kind = ControlAction.KIND_HOST_UNBANNED
    await transaction.record(action(kind, actor.id, host, f"host {host} no longer banned: {reason}", reason=reason))


async def evict(transaction: Transaction, actor: Caller, host: str, reason: str) -> list[str]:
    """Ends the host's certificates; their serial numbers are to be withdrawn after the commit."""
    await _is_banned(transaction, host)
    ended = await renewal.end(transaction, host)
    if not ended:
        raise ConflictError(
            f"host {host} has no certificate any more; it may enrol again with a token of its name "
            f"(landfast fleet token create --host {host})"
        )
    kind = ControlAction.KIND_HOST_EVICTED
    await transaction.record(action(kind, actor.id, host, f"host {host} evicted: {reason}", reason=reason))
    return ended


async def label(transaction: Transaction, actor: Caller, host: str, label: str, *, remove: bool) -> None:
    """Gives the host a label, or takes it away. Raises ConflictError when that is so already."""
    rows = await hosts.rows(transaction.connection, host)
    if not rows:
        raise not_enrolled(host)
    labels = set(hosts.labels(rows[0]))
    if (label in labels) != remove:
        raise ConflictError(f"host {host} has {'no' if remove else 'the'} label {label} already; nothing is left to do")
    changed = labels - {label} if remove else labels | {label}
    row = update(_hosts).where(_hosts.c.name == host)
    await transaction.connection.execute(row.values(labels=",".join(sorted(changed))))
    words = f"host {host} {'lost' if remove else 'got'} the label {label}"
    await transaction.record(action(ControlAction.KIND_HOST_LABELLED, actor.id, host, words, label=label))


async def _is_banned(transaction: Transaction, host: str) -> bool:
    """Raises NotFoundError when there is no such host."""
    known = select(_hosts.c.banned_ns).where(_hosts.c.name == host)
    found = (await transaction.connection.execute(known)).one_or_none()
    if found is None:
        raise not_enrolled(host)
    return found.banned_ns is not None


def not_enrolled(host: str) -> NotFoundError:
    return NotFoundError(f"host {host} is not enrolled; `landfast fleet list` shows the hosts")


async def _set(transaction: Transaction, host: str, since: int | None, actor: Caller | None, reason: str) -> None:
    row = update(_hosts).where(_hosts.c.name == host)
    values = {"banned_ns": since, "banned_by": str(actor.id) if actor else "", "ban_reason": reason}
    await transaction.connection.execute(row.values(**values))

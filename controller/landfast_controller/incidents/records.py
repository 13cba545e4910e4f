"""Incidents in the database. Every step of their life is a control action of the same transaction."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.incident_pb2 import Incident
from landfast_controller import schema
from landfast_controller.actions import action
from landfast_controller.errors import NotFoundError
from landfast_controller.incidents.rules import Finding
from landfast_controller.store import Transaction

_TEXT = 500  # characters

_t = schema.incidents
_TIMES = ("opened", "last_seen")
_PLAIN = ("id", "rule", "subject", "state", "count", "first_index", "last_index", "text")
_PEOPLE = ("acknowledged_by", "closed_by", "reason")


async def cursor(connection: AsyncConnection) -> int | None:
    """The log index from which the rules go on; None in a database that never had any."""
    return (await connection.execute(select(schema.incident_cursor.c.next))).scalar_one_or_none()


async def move(transaction: Transaction, index: int) -> None:
    statement = upsert(schema.incident_cursor).values(id=1, next=index)
    await transaction.connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_={"next": index}))


async def keep(transaction: Transaction, found: Sequence[tuple[Finding, int]], actor: object) -> None:
    """Adds findings of one rule and subject, each with its time, to their incident, or opens one."""
    (first, first_ns), (last, last_ns) = found[0], found[-1]
    count = sum(finding.count for finding, _ in found)
    seen = {"last_seen_ns": last_ns, "last_index": last.index, "text": last.text[:_TEXT]}
    current = _t.c.rule == last.rule, _t.c.subject == last.subject, _t.c.state != Incident.STATE_CLOSED
    more = update(_t).where(*current).values(count=_t.c.count + count, **seen)
    if (await transaction.connection.execute(more)).rowcount:
        return
    opened = {"opened_ns": first_ns, "first_index": first.index, "state": Incident.STATE_OPEN, "count": count}
    row = insert(_t).values(rule=first.rule, subject=first.subject, **opened, **seen)
    number = (await transaction.connection.execute(row)).inserted_primary_key[0]  # type: ignore[index]
    words = f"incident {number} is open: {first.rule} {first.subject}"
    fields = {"rule": first.rule, "about": first.subject, "index": first.index, "what": first.text[:_TEXT]}
    fields["count"] = count
    await transaction.record(action(ControlAction.KIND_INCIDENT_OPENED, actor, str(number), words, **fields))


async def acknowledge(transaction: Transaction, number: int, actor: object) -> None:
    await _turn(transaction, number, state=Incident.STATE_ACKNOWLEDGED, acknowledged_by=str(actor))
    words, fields = f"incident {number} is acknowledged", await _so_far(transaction, number)
    await transaction.record(action(ControlAction.KIND_INCIDENT_ACKNOWLEDGED, actor, str(number), words, **fields))


async def close(transaction: Transaction, number: int, actor: object, reason: str) -> None:
    await _turn(transaction, number, state=Incident.STATE_CLOSED, closed_by=str(actor), reason=reason)
    words, fields = f"incident {number} is closed: {reason}", await _so_far(transaction, number) | {"reason": reason}
    await transaction.record(action(ControlAction.KIND_INCIDENT_CLOSED, actor, str(number), words, **fields))


async def _so_far(transaction: Transaction, number: int) -> dict[str, object]:
    """What has become of an incident, for the log: its readers see no database."""
    found = await get(transaction.connection, number)
    return {"count": found.count, "last_index": found.last_index, "what": found.text}


async def get(connection: AsyncConnection, number: int) -> Incident:
    """Raises NotFoundError."""
    chosen = select(_t).where(_t.c.id == min(number, schema.LARGEST_INTEGER))
    row = (await connection.execute(chosen)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no incident {number}; see `landfast incidents list --all`")
    return _message(row)


async def find(connection: AsyncConnection, closed: bool, limit: int) -> list[Incident]:
    """The newest first."""
    query = select(_t).order_by(_t.c.id.desc()).limit(limit)
    rows = await connection.execute(query if closed else query.where(_t.c.state != Incident.STATE_CLOSED))
    return list(map(_message, rows))


async def untold(connection: AsyncConnection) -> Incident | None:
    """The oldest that the webhook has not taken."""
    row = (await connection.execute(select(_t).where(_t.c.told == 0).order_by(_t.c.id).limit(1))).one_or_none()
    return None if row is None else _message(row)


async def told(transaction: Transaction, number: int) -> None:
    await _turn(transaction, number, told=1)


async def newest_by_subject(connection: AsyncConnection, rule: str) -> dict[str, int]:
    """When the newest incident of each subject was opened, closed or not, in nanoseconds since 1970."""
    query = select(_t.c.subject, func.max(_t.c.opened_ns)).where(_t.c.rule == rule).group_by(_t.c.subject)
    return dict(map(tuple, await connection.execute(query)))


async def _turn(transaction: Transaction, number: int, **values: Any) -> None:
    await transaction.connection.execute(update(_t).where(_t.c.id == number).values(**values))


def _message(row: Any) -> Incident:
    incident = Incident(**{name: getattr(row, name) for name in (*_PLAIN, *_PEOPLE)})
    for name in _TIMES:
        getattr(incident, name).FromNanoseconds(getattr(row, f"{name}_ns"))
    return incident

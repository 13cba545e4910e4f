"""The versions of the policy in the database."""

from collections.abc import Collection

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.v1.policy_pb2 import Policy, PolicyVersion
from landfast_controller import schema
from landfast_controller.schema import LARGEST_INTEGER

_table = schema.policies
_OUTLINE = [column for column in _table.c if column.name not in ("canonical", "targets")]


async def read(connection: AsyncConnection, version: int) -> PolicyVersion | None:
    """A version; the newest when `version` is 0."""
    query = select(_table).order_by(_table.c.version.desc()).limit(1)
    version = min(version, LARGEST_INTEGER)
    row = (await connection.execute(query.where(_table.c.version == version) if version else query)).one_or_none()
    return message(row, row.canonical, row.targets) if row else None


async def outlines(connection: AsyncConnection, versions: Collection[int]) -> dict[int, PolicyVersion]:
    """Those of `versions` that exist, without their bytes."""
    wanted = [version for version in versions if version <= LARGEST_INTEGER]
    rows = await connection.execute(select(*_OUTLINE).where(_table.c.version.in_(wanted)))
    return {row.version: message(row) for row in rows}


async def proof(connection: AsyncConnection, version: int) -> tuple[bytes, bytes]:
    """Targets metadata and canonical form of a version that exists."""
    query = select(_table.c.targets, _table.c.canonical).where(_table.c.version == version)
    row = (await connection.execute(query)).one()
    return row.targets, row.canonical


async def breaks_glass(connection: AsyncConnection, version: int) -> bool:
    """Whether nobody has approved a version; False also when it does not exist."""
    query = select(_table.c.version).where(_table.c.version == version, _table.c.approvers == "")
    return (await connection.execute(query)).one_or_none() is not None


async def history(connection: AsyncConnection, before: int, limit: int) -> list[PolicyVersion]:
    """Versions below `before` (0: all), newest first, without their bytes."""
    query = select(*_OUTLINE).order_by(_table.c.version.desc()).limit(limit)
    before = min(before, LARGEST_INTEGER)
    rows = await connection.execute(query.where(_table.c.version < before) if before else query)
    return [message(row) for row in rows]


def message(row: Row[tuple[object, ...]], canonical: bytes = b"", targets: bytes = b"") -> PolicyVersion:
    """The wire form of a row."""
    version = PolicyVersion(
        policy=Policy(version=row.version, canonical=canonical, digest=row.digest),
        author=row.author,
        reason=row.reason,
        ticket=row.ticket,
        map_digest=row.map_digest,
        approvers=filter(None, row.approvers.split(",")),
        targets=targets,
    )
    version.created.FromNanoseconds(row.created_ns)
    return version

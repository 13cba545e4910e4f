"""Identities in the database: certificates that were issued, to whom, by whom, and which were revoked."""

import time
from datetime import timedelta

from cryptography import x509
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.identity import Role, spiffe_id_of
from landfast.v1.fleet_pb2 import Identity
from landfast_controller import schema
from landfast_controller.authority import serial_of
from landfast_controller.errors import InvalidError
from landfast_controller.store import Transaction

_table = schema.identities


async def add(
    transaction: Transaction, certificate: x509.Certificate, created_by: object, *, pending: bool = False
) -> Identity:
    """Records a certificate."""
    holder = spiffe_id_of(certificate)
    row = {
        "serial": serial_of(certificate),
        "role": holder.role,
        "name": holder.name,
        "created_ns": transaction.now_ns,
        "expires_ns": expiry_ns(certificate),
        "created_by": str(created_by),
        "pending": pending,
    }
    await transaction.connection.execute(insert(_table), row)
    found = await transaction.connection.execute(select(_table).where(_table.c.serial == row["serial"]))
    return message(found.one())


async def revoke(transaction: Transaction, role: Role, name: str) -> list[str]:
    """Revokes all certificates of a holder; returns their serial numbers, to be withdrawn after the commit."""
    mine = (_table.c.role == role, _table.c.name == name, _table.c.revoked_ns.is_(None))
    serials = (await transaction.connection.execute(select(_table.c.serial).where(*mine))).scalars().all()
    await transaction.connection.execute(update(_table).where(*mine).values(revoked_ns=transaction.now_ns))
    return list(serials)


async def newest(connection: AsyncConnection, name: str, roles: tuple[Role, ...]) -> Row[tuple[object, ...]] | None:
    """The newest certificate of the person `name`, revoked or not."""
    mine = select(_table).where(_table.c.name == name, _table.c.role.in_(roles))
    return (await connection.execute(mine.order_by(_table.c.created_ns.desc()).limit(1))).one_or_none()


async def all_of(connection: AsyncConnection, roles: tuple[Role, ...]) -> list[Identity]:
    rows = await connection.execute(select(_table).where(_table.c.role.in_(roles)).order_by(_table.c.created_ns))
    return [message(row) for row in rows]


async def has_other(connection: AsyncConnection, role: Role, name: str) -> bool:
    """Whether anybody but `name` holds a valid certificate of `role`."""
    valid = (_table.c.role == role, _table.c.revoked_ns.is_(None), _table.c.expires_ns > time.time_ns())
    others = select(_table.c.serial).where(*valid, _table.c.name != name).limit(1)
    return (await connection.execute(others)).one_or_none() is not None


def message(row: Row[tuple[object, ...]]) -> Identity:
    """The wire form of a row."""
    identity = Identity(name=row.name, role=row.role, created_by=row.created_by)
    identity.created.FromNanoseconds(row.created_ns)
    identity.expires.FromNanoseconds(row.expires_ns)
    if row.revoked_ns is not None:
        identity.revoked.FromNanoseconds(row.revoked_ns)
    return identity


def is_valid(row: Row[tuple[object, ...]]) -> bool:
    return row.revoked_ns is None and row.expires_ns > time.time_ns()


def expiry_ns(certificate: x509.Certificate) -> int:
    return int(certificate.not_valid_after_utc.timestamp()) * 10**9


def lifetime(seconds: int, default: timedelta, longest: timedelta) -> timedelta:
    """The lifetime that was asked for; 0 means `default`."""
    if seconds > longest.total_seconds():
        raise InvalidError(f"lifetime of {seconds} s: at most {int(longest.total_seconds())} s are given")
    return timedelta(seconds=seconds) if seconds else default

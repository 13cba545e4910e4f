"""Where people look at incidents, acknowledge and close them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from landfast.v1.incident_pb2 import Incident
from landfast_controller.callers import Caller
from landfast_controller.errors import ConflictError
from landfast_controller.incidents import records
from landfast_controller.store import Store, Transaction

_LIMIT = 1000


@dataclass(frozen=True)
class Desk:
    store: Store

    async def find(self, closed: bool, limit: int) -> list[Incident]:
        async with self.store.reading() as connection:
            return await records.find(connection, closed, min(limit or _LIMIT, _LIMIT))

    async def get(self, number: int) -> Incident:
        """Raises NotFoundError."""
        async with self.store.reading() as connection:
            return await records.get(connection, number)

    async def acknowledge(self, caller: Caller, number: int) -> Incident:
        """Raises NotFoundError; ConflictError unless it is open."""

        async def write(transaction: Transaction) -> None:
            found = await records.get(transaction.connection, number)
            if found.state != Incident.STATE_OPEN:
                who = found.closed_by or found.acknowledged_by
                raise ConflictError(f"incident {number} is not open: {who} has been there before")
            await records.acknowledge(transaction, number, caller.id)

        return await self._written(number, write)

    async def close(self, caller: Caller, number: int, reason: str) -> Incident:
        """Raises NotFoundError; ConflictError when it is closed."""

        async def write(transaction: Transaction) -> None:
            found = await records.get(transaction.connection, number)
            if found.state == Incident.STATE_CLOSED:
                raise ConflictError(f"incident {number} is closed: {found.closed_by}, {found.reason}")
            await records.close(transaction, number, caller.id, reason)

        return await self._written(number, write)

    async def _written(self, number: int, write: Callable[[Transaction], Awaitable[None]]) -> Incident:
        await self.store.write(write)
        return await self.get(number)

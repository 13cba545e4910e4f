"""Which version each host is to have, and waiting for another one.

Kept in memory, true to the database: `rollout.records` says what is written first. All that happens here only raises
versions, so that the order in which it is told does not matter.
"""

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from landfast.v1.policy_pb2 import PolicyVersion
from landfast_controller import policies
from landfast_controller.bell import Bell
from landfast_controller.rollout import records
from landfast_controller.store import Store

_KEPT = 4  # versions in memory: the newest, and what hosts hold that it has not reached


class Placement:
    """`newest` is the newest version; None while there is none."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.newest: PolicyVersion | None = None
        self._everybody = 0
        self._ahead: dict[str, int] = {}
        self._known: dict[int, PolicyVersion] = {}
        self._changed = Bell()

    @classmethod
    async def load(cls, store: Store, connection: AsyncConnection) -> "Placement":
        made, progress = cls(store), await records.newest(connection)
        made.newest = await policies.read(connection, 0)
        made._everybody = progress.everybody if progress else 0
        found = await records.placed(connection, made._everybody)
        made._ahead = {host: placed.version for host, placed in found.items()}
        return made

    def of(self, host: str) -> int:
        """The version that a host is to have; 0: none yet."""
        return max(self._ahead.get(host, 0), self._everybody)

    async def after(self, host: str, sent: int) -> int:
        """Waits until a host is to have another version than `sent`."""
        await self._changed.until(lambda: self.of(host) != sent)
        return self.of(host)

    def accept(self, version: PolicyVersion, everybody: int) -> None:
        """A new version, and what all hosts are to have from now on: this one, or still an older one."""
        self.newest = version
        self._keep(version)
        self.reach(everybody)

    def reach(self, version: int) -> None:
        """All hosts are to have `version`."""
        self._everybody = max(self._everybody, version)
        self._ahead = {host: each for host, each in self._ahead.items() if each > self._everybody}
        self._changed.ring()

    def give(self, version: int, hosts: Iterable[str]) -> None:
        """These hosts are to have `version`, and keep it when others do not get it."""
        for host in hosts:
            if version > self.of(host):
                self._ahead[host] = version
        self._changed.ring()

    async def version(self, number: int) -> PolicyVersion:
        """A version that exists."""
        if number not in self._known:
            async with self._store.reading() as connection:
                found = await policies.read(connection, number)
            assert found is not None
            self._keep(found)
            return found
        return self._known[number]

    def _keep(self, version: PolicyVersion) -> None:
        while len(self._known) >= _KEPT:
            del self._known[min(self._known)]
        self._known[version.policy.version] = version

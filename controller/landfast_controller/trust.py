"""The deployment's TUF repository: root metadata, and the proof that a policy version is the newest, and approved.

The controller holds one key, that of snapshot and timestamp: with it goes the power to withhold a newer policy for as
long as a timestamp lasts, and no other.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from securesystemslib.signer import Signer
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from tuf.api.metadata import Metadata, Root, Targets

from landfast.trust import keys, metadata
from landfast.trust.approvals import Approvals
from landfast.trust.errors import TrustError
from landfast.trust.incident import Incident
from landfast.trust.metadata import digest_of, read_targets
from landfast.trust.succession import check_root
from landfast.trust.verifier import missing_approvals, policy_file, stands_alone
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import policies, schema
from landfast_controller.actions import action
from landfast_controller.announcements import Announcements
from landfast_controller.errors import ConflictError, InvalidError, UnavailableError
from landfast_controller.store import Store, Transaction

ONLINE_KEY = "online.key"

#: Hosts get a fresh timestamp this often.
RENEWAL_S = 3600.0

_KEPT = 64  # proofs in memory, for hosts that hold different versions
_STEPS, _STEP_BYTES = 64, 32 << 20  # of what a host has missed


class Trust:
    """`roots` are all versions of the root metadata, in order; `stamp` is the version of the newest timestamp."""

    def __init__(self, online: Signer, roots: list[bytes], stamp: int) -> None:
        self.roots = roots
        self._announcements = Announcements(online, stamp)
        self._steps: dict[tuple[int, int], dict[str, bytes]] = {}
        self._asking = asyncio.Lock()

    @classmethod
    async def load(cls, connection: AsyncConnection, directory: Path) -> "Trust":
        """Raises UnavailableError when the controller's key is missing."""
        path = directory / ONLINE_KEY
        try:
            online = keys.load(path, "")
        except (OSError, TrustError) as error:
            raise UnavailableError(f"key {path}: {error}; restore it from a backup") from None
        found = await connection.execute(select(schema.roots).order_by(schema.roots.c.version))
        newest = await connection.scalar(select(func.max(schema.log.c.received_ns)))
        return cls(online, [row.content for row in found], (newest or 0) // 1000)

    @property
    def root(self) -> Root:
        return metadata.read_root(self.roots[-1]).signed

    def missing(self, targets: Metadata[Targets], *, widens: bool) -> dict[str, int]:
        """How many approvals a version lacks, by group; none when it breaks the glass, which was judged by itself."""
        return {} if Incident.of(targets.signed) else missing_approvals(self.root, targets, widens=widens)

    async def publish(self, store: Store, actor: object, content: bytes) -> int:
        """Makes `content` the newest root, or raises InvalidError or ConflictError. Returns its version."""
        try:
            following = metadata.read_root(content)
            _check_next(following.signed, self.root)
            check_root(following, self.root)
        except TrustError as error:
            raise InvalidError(str(error)) from None
        version = following.signed.version
        await store.write(lambda transaction: add_root(transaction, content, version, actor))
        self.roots.append(content)
        self._steps.clear()
        return version

    async def proof(self, store: Store, version: int, held: int) -> dict[str, bytes]:
        """What a host that holds version `held` (0: none) needs to believe that `version` is the newest.

        It is for this host: while a rollout runs, others are told of another one.
        """
        if (version, held) not in self._steps:
            await self._remember(store, version, held)
        roots = {f"{number}.root.json": root for number, root in enumerate(self.roots, 1) if number > 1}
        return roots | self._announcements.of(version) | self._steps[version, held]

    async def _remember(self, store: Store, version: int, held: int) -> None:
        """One host asks the database, the others that have come meanwhile wait for its answer."""
        async with self._asking:
            if (version, held) in self._steps:
                return
            while len(self._steps) >= _KEPT:
                del self._steps[next(iter(self._steps))]
            async with store.reading() as connection:
                self._steps[version, held] = await self._approved(connection, version, held)

    async def _approved(self, connection: AsyncConnection, version: int, held: int) -> dict[str, bytes]:
        """The approvals of a version, and of those before it that it rests on, with what these say.

        For a host that holds one that breaks the glass also the one after it, its review.
        """
        targets, _ = await policies.proof(connection, version)
        files = {f"{version}.targets.json": targets}
        size, oldest = 0, max(held, version - _STEPS)
        if held + 1 < version and await policies.breaks_glass(connection, held):
            files |= _files(held + 1, *await policies.proof(connection, held + 1))
        while version - 1 > oldest and size < _STEP_BYTES and not stands_alone(self.root, read_targets(targets)):
            version -= 1
            targets, canonical = await policies.proof(connection, version)
            files |= _files(version, targets, canonical)
            size += len(canonical)
        return files


async def add_root(transaction: Transaction, content: bytes, version: int, actor: object) -> None:
    await transaction.connection.execute(insert(schema.roots), {"version": version, "content": content})
    told = _told(metadata.read_root(content).signed) | {"fingerprint": metadata.fingerprint(content)}
    names = (f"{what.replace('_', '-')} {told[what] or '(none)'}" for what in ("approvers", "break_glass", "groups"))
    words = f"root {version}: {'; '.join(names)}"
    await transaction.record(action(ControlAction.KIND_ROOT_PUBLISHED, actor, str(version), words, **told))


def _told(root: Root) -> dict[str, str]:
    """Who approves, who may break the glass, and which approvals a change takes, for the log."""
    rules = Approvals.from_root(root.unrecognized_fields)
    targets = [root.keys[keyid] for keyid in root.roles["targets"].keyids]
    return {
        "approvers": _list(map(keys.holder, targets)),
        "break_glass": _list(map(keys.breaker, targets)),
        "groups": _list(f"{name}={'+'.join(members)}" for name, members in rules.groups.items()),
        "widening": _list(f"{group}={number}" for group, number in rules.widening.items()),
        "narrowing": _list(f"{group}={number}" for group, number in rules.narrowing.items()),
    }


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names) - {""}))


def _files(version: int, targets: bytes, canonical: bytes) -> dict[str, bytes]:
    return {f"{version}.targets.json": targets, policy_file(digest_of(read_targets(targets).signed)): canonical}


def _check_next(root: Root, newest: Root) -> None:
    if root.version <= newest.version:
        raise ConflictError(
            f"root {root.version}: root {newest.version} is in force already; make the change again on top of it "
            "(landfast trust draft)"
        )

"""New policy versions: checked against the newest, recorded, and given out.

One approval suffices: the proposer's own.
"""

import asyncio
import time

import structlog
from sqlalchemy import insert

from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.expiry import refuse_expired
from landfast.policy.model import Policy
from landfast.policy.succession import check_succession
from landfast.policy.tables import compile_policy
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.policy_pb2 import Policy as PolicyMessage
from landfast.v1.policy_pb2 import PolicyVersion
from landfast_controller import schema
from landfast_controller.actions import action
from landfast_controller.errors import ConflictError, InvalidError
from landfast_controller.policies import Newest
from landfast_controller.store import Store, Transaction

_LONGEST_TEXT = 1000

_log = structlog.get_logger()


class Proposals:
    """Takes proposals one after the other, so that each is checked against the newest version."""

    def __init__(self, store: Store, newest: Newest) -> None:
        self._store = store
        self._newest = newest
        self._turn = asyncio.Lock()

    async def accept(self, content: bytes, author: str, reason: str, ticket: str) -> PolicyVersion:
        """Makes `content` (canonical form) the newest version, or raises InvalidError or ConflictError."""
        _check_texts(reason, ticket)
        async with self._turn:
            version = await asyncio.to_thread(_checked, content, self._newest.version)
            version.author, version.reason, version.ticket = author, reason, ticket
            await self._store.write(lambda transaction: _record(transaction, version))
            await self._newest.publish(version)
        _log.info("policy accepted", version=version.policy.version, author=author, reason=reason)
        return version


def _check_texts(reason: str, ticket: str) -> None:
    if not reason.strip():
        raise InvalidError("reason: it is empty; say in one line why the policy changes")
    for name, text in (("reason", reason), ("ticket", ticket)):
        if len(text) > _LONGEST_TEXT or (not text.isprintable() and text):
            raise InvalidError(f"{name}: use one line of at most {_LONGEST_TEXT} printable characters")


def _checked(content: bytes, newest: PolicyVersion | None) -> PolicyVersion:
    """The version that `content` would be, with the digest that hosts will have to prove. Takes seconds if large."""
    try:
        previous = canonical.decode(newest.policy.canonical) if newest else None
        policy = canonical.decode(content)
        _check_version(policy, previous)
        check_succession(policy, previous)
        refuse_expired(policy, previous, time.time())
        map_digest = compile_policy(policy, digest := canonical.digest(content)).digest
    except PolicyError as error:
        raise InvalidError(str(error)) from None
    message = PolicyMessage(version=policy.version, canonical=content, digest=digest)
    return PolicyVersion(policy=message, map_digest=map_digest)


def _check_version(policy: Policy, previous: Policy | None) -> None:
    expected = previous.version + 1 if previous else 1
    if policy.version != expected:
        raise ConflictError(
            f"policy version {policy.version}: expected {expected}, since another version was accepted meanwhile; "
            "look at it (landfast policy show) and propose your change again"
        )


async def _record(transaction: Transaction, version: PolicyVersion) -> None:
    policy = version.policy
    row = {
        "version": policy.version,
        "digest": policy.digest,
        "map_digest": version.map_digest,
        "author": version.author,
        "reason": version.reason,
        "ticket": version.ticket,
        "created_ns": transaction.now_ns,
        "canonical": policy.canonical,
    }
    await transaction.connection.execute(insert(schema.policies), row)
    version.created.FromNanoseconds(transaction.now_ns)
    texts = {"digest": policy.digest.hex(), "map_digest": version.map_digest.hex(), "reason": version.reason}
    words = f"policy {policy.version}: {version.reason}"
    kind, subject = ControlAction.KIND_POLICY_VERSION, str(policy.version)
    await transaction.record(action(kind, version.author, subject, words, ticket=version.ticket, **texts))

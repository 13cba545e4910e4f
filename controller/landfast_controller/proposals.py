"""New policy versions: proposed, approved, recorded, and given out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import structlog
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature
from sqlalchemy import Row, insert
from tuf.api.metadata import Metadata, Root, Targets

from landfast.flows import utc
from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.expiry import refuse_expired
from landfast.policy.model import Policy
from landfast.policy.succession import check_succession
from landfast.policy.tables import compile_policy
from landfast.policy.widening import widenings
from landfast.trust import breakglass, metadata
from landfast.trust.breakglass import Ground
from landfast.trust.errors import TrustError
from landfast.trust.incident import Incident
from landfast.trust.keys import breaker, holder
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.policy_pb2 import Change, PolicyVersion
from landfast.v1.policy_pb2 import Policy as PolicyMessage
from landfast_controller import changes, schema
from landfast_controller.actions import action
from landfast_controller.callers import Caller
from landfast_controller.changes import NewChange
from landfast_controller.errors import ConflictError, InvalidError, NotPermittedError
from landfast_controller.rollout import records
from landfast_controller.rollout.conductor import Conductor
from landfast_controller.rollout.placement import Placement
from landfast_controller.rollout.plan import ALL
from landfast_controller.store import Store, Transaction
from landfast_controller.trust import Trust

_LONGEST_TEXT = 1000
_SHOWN = 100  # ways in which a change widens, that are kept for people
_LOGGED, _LONGEST = 20, 400  # of them in the log, and their characters
_FIRST = ("it is the first policy",)

_log = structlog.get_logger()

Settled = tuple[Change, PolicyVersion | None]
_Work = Callable[[Transaction], Awaitable[int]]


class Proposals:
    """Takes proposals and approvals one after the other, so that each is checked against the newest version.

    `stages` are those in which an accepted version reaches the hosts.
    """

    def __init__(
        self, store: Store, placement: Placement, conductor: Conductor, trust: Trust, stages: tuple[str, ...]
    ) -> None:
        self._store, self._placement, self._conductor, self._trust = store, placement, conductor, trust
        self._stages = stages
        self._turn = asyncio.Lock()

    async def propose(
        self, caller: Caller, content: bytes, targets: bytes, why: tuple[str, str], *, at_once: bool
    ) -> Settled:
        """Takes `content` (canonical form) as the next version, once enough people have approved `targets`.

        At once when these break the glass. `why` is reason and ticket. If that completes it, it may go to all hosts
        `at_once`, as what breaks the glass always does. Raises InvalidError or ConflictError.
        """
        _check_texts(*why)
        async with self._turn:
            draft, root, newest = self._draft(caller, targets), self._trust.root, self._placement.newest
            new = await asyncio.to_thread(_checked, content, newest, draft, root, (str(caller.id), *why))
            hurries = at_once or Incident.of(draft.signed) is not None
            return await self._settle(lambda transaction: self._add(transaction, new), caller if hurries else None)

    async def approve(self, caller: Caller, number: int, signed: tuple[str, str], *, at_once: bool) -> Settled:
        """Adds the caller's signature to a change; `signed` is the id of the key, and the signature.

        Raises InvalidError, NotFoundError or ConflictError.
        """
        async with self._turn:
            return await self._settle(
                lambda transaction: self._sign(transaction, caller, number, *signed), caller if at_once else None
            )

    async def close(self, caller: Caller, number: int, why: str) -> Change:
        """Rejects a change, or withdraws it when it is the caller's own."""
        _check_texts(why, "")
        async with self._turn:
            await self._store.write(lambda transaction: self._close(transaction, caller, number, why))
        async with self._store.reading() as connection:
            return changes.message(await changes.read(connection, number), self._trust, time.time_ns(), whole=False)

    async def publish_root(self, caller: Caller, content: bytes) -> int:
        """Makes `content` the newest root. Returns its version; raises InvalidError or ConflictError."""
        async with self._turn:
            return await self._trust.publish(self._store, caller.id, content)

    async def _settle(self, work: _Work, at_once: Caller | None) -> Settled:
        """Does something to a change, and accepts it if that was all it lacked. `at_once` is who wants it at once."""
        change, version, everybody = await self._store.write(lambda tx: self._step(tx, work, at_once))
        if version:
            self._placement.accept(version, everybody)
            self._conductor.stir()
            _log.info("policy accepted", version=change.version, author=change.author, approvers=list(change.approvers))
        return change, version

    async def _step(
        self, transaction: Transaction, work: _Work, at_once: Caller | None
    ) -> tuple[Change, PolicyVersion | None, int]:
        """The change, the version that it has become, and the version that everybody is to have then."""
        row = await changes.read(transaction.connection, await work(transaction))
        change = changes.message(row, self._trust, transaction.now_ns, whole=False)
        if change.missing:
            return change, None, 0
        await changes.overtake(transaction, row.version, change.author)
        await changes.close(transaction, row.id, Change.STATE_ACCEPTED, change.author, "")
        change.state = Change.STATE_ACCEPTED
        stages, by = ((ALL,), str(at_once.id)) if at_once else (self._stages, "")
        everybody = await records.begin(transaction, row.version, stages, by)
        return change, await _accept(transaction, row, change, {"stages": ",".join(stages), "at_once": by}), everybody

    async def _add(self, transaction: Transaction, new: NewChange) -> int:
        number = await changes.add(transaction, new, _SHOWN)
        words = f"change {number}, policy {new.version}: {new.reason}"
        fields = {"version": str(new.version), "reason": new.reason, "ticket": new.ticket, "digest": new.digest.hex()}
        fields |= {"expires": utc(transaction.now_ns + changes.LIFETIME_NS)}
        fields |= {"widenings": str(len(new.widenings))} | _first_of(new.widenings)
        await transaction.record(action(ControlAction.KIND_CHANGE_PROPOSED, new.author, str(number), words, **fields))
        return number

    async def _sign(self, transaction: Transaction, caller: Caller, number: int, key_id: str, signature: str) -> int:
        row = await changes.read(transaction.connection, number)
        changes.check_open(row, transaction.now_ns)
        draft = metadata.read_targets(row.targets)
        self._check_signature(draft, caller, key_id, signature)
        signed = metadata.with_signatures(draft, [{"keyid": key_id, "sig": signature}])
        await changes.sign(transaction, number, signed.to_bytes())
        words, fields = f"change {number} approved by {caller.name}", {"digest": row.digest.hex(), "key": key_id}
        await transaction.record(action(ControlAction.KIND_CHANGE_APPROVED, caller.id, str(number), words, **fields))
        return number

    def _check_signature(self, draft: Metadata[Targets], caller: Caller, key_id: str, signature: str) -> None:
        key = self._trust.root.keys.get(key_id)
        if key is None or holder(key) != caller.name or key_id not in self._trust.root.roles["targets"].keyids:
            raise NotPermittedError(
                f"key {key_id[:16]} is not one of {caller.name}'s; `landfast trust show` lists whose keys are whose"
            )
        try:
            key.verify_signature(Signature(key_id, signature), draft.signed_bytes)
        except UnverifiedSignatureError:
            raise InvalidError("signature: it is not one of this change's metadata; fetch the change anew") from None

    async def _close(self, transaction: Transaction, caller: Caller, number: int, why: str) -> None:
        row = await changes.read(transaction.connection, number)
        changes.check_open(row, transaction.now_ns)
        own = row.author == str(caller.id)
        if not own and caller.role != "approver":
            raise NotPermittedError(f"change {number} is {row.author}'s; they may withdraw it, approvers may reject it")
        state = Change.STATE_WITHDRAWN if own else Change.STATE_REJECTED
        await changes.close(transaction, number, state, str(caller.id), why)
        words = f"change {number} {'withdrawn' if own else 'rejected'}: {why}"
        await transaction.record(action(ControlAction.KIND_CHANGE_CLOSED, caller.id, str(number), words, reason=why))

    def _draft(self, caller: Caller, targets: bytes) -> Metadata[Targets]:
        """The metadata of a proposal, with those of its signatures that are the caller's and good."""
        try:
            draft = metadata.read_targets(targets)
        except TrustError as error:
            raise InvalidError(str(error)) from None
        if metadata.proposer_of(draft.signed) != caller.name:
            raise InvalidError(f"targets: they name another proposer than {caller.name}; propose under your own name")
        if draft.signed.is_expired():
            raise InvalidError("targets: they have expired already; look at the clock of the machine that made them")
        root = self._trust.root
        good = metadata.approvers(root, draft) | metadata.breakers(root, draft)
        for key_id in list(draft.signatures):
            key = root.keys.get(key_id)
            if key is None or caller.name not in good or caller.name not in (holder(key), breaker(key)):
                del draft.signatures[key_id]
        return draft


def _first_of(widenings: Sequence[str]) -> dict[str, str]:
    """The first ways in which a change widens, for the log: an entry has its limit."""
    return {f"widening_{at}": each[:_LONGEST] for at, each in enumerate(widenings[:_LOGGED], 1)}


def _check_texts(reason: str, ticket: str) -> None:
    if not reason.strip():
        raise InvalidError("reason: it is empty; say in one line why the policy changes")
    for name, text in (("reason", reason), ("ticket", ticket)):
        if len(text) > _LONGEST_TEXT or (not text.isprintable() and text):
            raise InvalidError(f"{name}: use one line of at most {_LONGEST_TEXT} printable characters")


def _checked(
    content: bytes, newest: PolicyVersion | None, draft: Metadata[Targets], root: Root, said: tuple[str, str, str]
) -> NewChange:
    """The version that `content` would be, with the digest that hosts will have to prove. Takes seconds if large."""
    author, reason, ticket = said
    digest = canonical.digest(content)
    try:
        previous = canonical.decode(newest.policy.canonical) if newest else None
        policy = canonical.decode(content)
        _check_version(policy, previous)
        check_succession(policy, previous)
        refuse_expired(policy, previous, time.time())
        map_digest = compile_policy(policy, digest).digest
        if (draft.signed.version, metadata.digest_of(draft.signed)) != (policy.version, digest):
            raise InvalidError("targets: they are not about the policy that came with them; propose it again")
        before = _ground(newest, previous)
        wider = tuple(map(str, widenings(before.policy, policy))) if before.policy else _FIRST
        _check_glass(root, draft, policy, before, (reason, ticket))
    except (PolicyError, TrustError) as error:
        raise InvalidError(str(error)) from None
    return NewChange(
        version=policy.version,
        author=author,
        reason=reason,
        ticket=ticket,
        digest=digest,
        map_digest=map_digest,
        widenings=wider,
        targets=draft.to_bytes(),
        canonical=content,
    )


def _ground(newest: PolicyVersion | None, previous: Policy | None) -> Ground:
    """What a change is judged by."""
    if newest is None or previous is None:
        return Ground()
    return breakglass.ground(previous, metadata.read_targets(newest.targets).signed)


def _check_glass(root: Root, draft: Metadata[Targets], policy: Policy, before: Ground, why: tuple[str, str]) -> None:
    """Raises TrustError for what breaks the glass and may not, and for the one after it, unless it is its review."""
    if Incident.of(draft.signed) is None:
        breakglass.check_reviewed(draft.signed, before)
        return
    if metadata.why_of(draft.signed) != why:
        raise TrustError("targets: they give another reason or ticket; break the glass again")
    if before.broken:
        raise ConflictError(breakglass.again(before.broken))
    breakglass.check(root, draft, policy, before, time.time())


def _check_version(policy: Policy, previous: Policy | None) -> None:
    expected = previous.version + 1 if previous else 1
    if policy.version != expected:
        raise ConflictError(
            f"policy version {policy.version}: expected {expected}, since another version was accepted meanwhile; "
            "look at it (landfast policy show) and propose your change again"
        )


async def _accept(
    transaction: Transaction, row: Row[tuple[object, ...]], change: Change, rollout: dict[str, str]
) -> PolicyVersion:
    """Makes a change the newest version; `rollout` says for the log how it reaches the hosts."""
    version = PolicyVersion(
        policy=PolicyMessage(version=row.version, canonical=row.canonical, digest=row.digest),
        author=row.author,
        reason=row.reason,
        ticket=row.ticket,
        map_digest=row.map_digest,
        approvers=change.approvers,
        targets=row.targets,
    )
    values = {
        "version": row.version,
        "digest": row.digest,
        "map_digest": row.map_digest,
        "author": row.author,
        "reason": row.reason,
        "ticket": row.ticket,
        "created_ns": transaction.now_ns,
        "approvers": ",".join(change.approvers),
        "targets": row.targets,
        "canonical": row.canonical,
    }
    await transaction.connection.execute(insert(schema.policies), values)
    version.created.FromNanoseconds(transaction.now_ns)
    texts = {"digest": row.digest.hex(), "map_digest": row.map_digest.hex(), "reason": row.reason}
    texts |= {"ticket": row.ticket, "approvers": ",".join(change.approvers), "change": str(row.id)} | rollout
    signed = metadata.read_targets(row.targets).signed
    if broken := breakglass.reviewed(signed):
        texts["reviews"] = broken.by
    words = f"policy {row.version}{', to all hosts at once' if rollout['at_once'] else ''}: {row.reason}"
    kind, subject = ControlAction.KIND_POLICY_VERSION, str(row.version)
    await transaction.record(action(kind, row.author, subject, words, **texts))
    if told := breakglass.told(signed):
        words, texts = told
        await transaction.record(action(ControlAction.KIND_BREAK_GLASS, row.author, subject, words, **texts))
    return version

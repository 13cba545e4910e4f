"""Tokens, and hosts that join by them.

A token is a certificate with a short life and the id `/enrol/TOKEN`; it is used up in the transaction that records the
host. A host that is enrolled already can only be enrolled again by a token that was made for its name: its older
certificates end, and its chain of batches goes on or begins anew, where the host says. A banned host cannot be enrolled
at all.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from landfast import event_key
from landfast.beginning import Beginning, Statement
from landfast.event_key import EventKeyError
from landfast.identity import IdentityError, Role, SpiffeId, check_name
from landfast.v1.agent_pb2 import EnrollRequest
from landfast.v1.audit_pb2 import ControlAction
from landfast_controller import identities, renewal, schema
from landfast_controller.actions import action
from landfast_controller.authority import Authority, serial_of
from landfast_controller.callers import Caller
from landfast_controller.errors import AlreadyExistsError, InvalidError, NotPermittedError
from landfast_controller.membership import banned
from landfast_controller.renewal import Issued, Pair
from landfast_controller.store import Transaction

TOKEN_LIFETIME = timedelta(hours=1)
LONGEST_TOKEN_LIFETIME = timedelta(days=7)

_DIGEST_SIZE = hashlib.sha256().digest_size

_tokens, _hosts, _beginnings = schema.tokens, schema.hosts, schema.beginnings


@dataclass(frozen=True)
class Signer:
    """How a host is going to sign: by which event key, and what it has said with it of where it begins, if anything."""

    event_key: bytes
    statement: Statement | None


@dataclass(frozen=True)
class Token:
    """A new token. Its private key is with whoever asked for it."""

    holder: SpiffeId
    certificate: x509.Certificate

    @property
    def expires_ns(self) -> int:
        return identities.expiry_ns(self.certificate)


def checked_host(name: str) -> str:
    try:
        return check_name(name)
    except IdentityError as error:
        raise InvalidError(f"host {error}") from None


def proved_signer(request: EnrollRequest) -> Signer:
    """What the request says of event key and beginning. Raises InvalidError unless the host has signed both."""
    key = _proved_event_key(request)
    return Signer(key, _proved_beginning(request, key) if request.HasField("beginning") else None)


def _proved_event_key(request: EnrollRequest) -> bytes:
    try:
        key = event_key.checked(request.event_key)
    except EventKeyError as error:
        raise InvalidError(f"event_key: {error}; is the agent older than this controller? Upgrade it") from None
    content = event_key.enrolment_of(request.host, request.csr)
    if not event_key.has_signed(key, event_key.ENROLMENT, content, request.event_key_proof):
        raise InvalidError("event_key_proof: it is not the key's signature of this request; the key proves nothing")
    return key


def _proved_beginning(request: EnrollRequest, key: bytes) -> Statement:
    told = request.beginning
    if not 1 <= told.first_sequence <= schema.LARGEST_INTEGER:
        raise InvalidError(f"beginning: sequence {told.first_sequence}, expected 1 to {schema.LARGEST_INTEGER}")
    if len(told.previous) not in (0, _DIGEST_SIZE):
        raise InvalidError(f"beginning: a previous hash of {len(told.previous)} bytes, expected {_DIGEST_SIZE} or none")
    begins, digest = Beginning(told.first_sequence, told.previous), hashlib.sha256(request.csr).digest()
    statement = Statement(begins, digest, told.signature)
    if not statement.is_signed_by(key, request.host):
        raise InvalidError("beginning: it is not signed by the event key; nobody could be held to it")
    return statement


def new_token(authority: Authority, key: ec.EllipticCurvePublicKey, lifetime: timedelta) -> Token:
    """A token that is not recorded yet."""
    holder = SpiffeId(authority.domain, Role.ENROL, secrets.token_hex(8))
    return Token(holder, authority.issue(holder, key, lifetime))


async def add_token(transaction: Transaction, token: Token, host: str, actor: Caller) -> None:
    """Records a token for `host`; empty: for any host that is not enrolled."""
    holder = token.holder
    await transaction.connection.execute(insert(_tokens), {"id": holder.name, "host": host})
    await identities.add(transaction, token.certificate, actor.id)
    words = f"token {holder.name} for {f'host {host}' if host else 'any new host'}"
    await transaction.record(action(ControlAction.KIND_TOKEN_CREATED, actor.id, holder.name, words, host=host))


async def enrol(transaction: Transaction, caller: Caller, pair: Pair, signer: Signer) -> Issued:
    """Uses up the caller's token, makes `pair` the only one of its host, and holds the host to `signer`."""
    token = await _unused(transaction, caller.name)
    former = await _check_host(transaction, token, pair.host)
    ended = await renewal.end(transaction, pair.host)
    await renewal.add(transaction, pair, caller.id, pending=False)
    await _record(transaction, caller, pair, signer, former)
    return Issued(pair, ended)


async def _unused(transaction: Transaction, token_id: str) -> Row[tuple[object, ...]]:
    token = (await transaction.connection.execute(select(_tokens).where(_tokens.c.id == token_id))).one()
    if token.used_ns is not None:
        raise NotPermittedError(
            f"token {token_id} has been used by host {token.used_by}; a token is good for one host, make another one "
            "(landfast fleet token create)"
        )
    return token


async def _check_host(transaction: Transaction, token: Row[tuple[object, ...]], host: str) -> bytes | None:
    """The event key of a host that was enrolled before, else None. Raises when the token is not good for it."""
    if token.host and token.host != host:
        raise NotPermittedError(f"token {token.id} is for host {token.host}, not for {host}; make one for {host}")
    known = select(_hosts.c.banned_ns, _hosts.c.ban_reason, _hosts.c.event_key).where(_hosts.c.name == host)
    found = (await transaction.connection.execute(known)).one_or_none()
    if found is not None and found.banned_ns is not None:
        raise banned(host, found.ban_reason)
    if found is not None and not token.host:
        raise AlreadyExistsError(
            f"host {host} is enrolled already; to enrol it again make a token of its name "
            f"(landfast fleet token create --host {host}), or give this host another name"
        )
    return None if found is None else found.event_key


async def _record(transaction: Transaction, caller: Caller, pair: Pair, signer: Signer, former: bytes | None) -> None:
    host = pair.host
    index, now_ns = transaction.next_index, transaction.now_ns
    row = {"name": host, "enrolled_ns": now_ns, "last_seen_ns": now_ns, "enrolled_index": index, "chain_begun": 0}
    row |= {"event_key": signer.event_key, "last_batch_ns": now_ns}
    statement = upsert(_hosts).values(**row, chain_start=index)
    await transaction.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
    used = {"used_ns": transaction.now_ns, "used_by": host}
    await transaction.connection.execute(update(_tokens).where(_tokens.c.id == caller.name).values(**used))
    if signer.statement:
        await _hold(transaction, host, signer.statement.beginning)
    await transaction.record(_enrolled(caller, pair, signer, former))


async def _hold(transaction: Transaction, host: str, beginning: Beginning) -> None:
    """To where the host says that it begins, as of the enrolment that is recorded next."""
    row = {"index": transaction.next_index, "first_sequence": beginning.first, "previous": beginning.previous}
    statement = upsert(_beginnings).values(host=host, **row)
    await transaction.connection.execute(statement.on_conflict_do_update(index_elements=["host"], set_=row))


def _enrolled(caller: Caller, pair: Pair, signer: Signer, former: bytes | None) -> ControlAction:
    again, key = former is not None, signer.event_key
    fields = {"again": again, "serial": serial_of(pair.agent), "event_key": event_key.text(key)}
    fields |= signer.statement.fields if signer.statement else {}
    words = f"host {pair.host} enrolled{' again: its events go on or begin anew' if again else ''}"
    if former is not None and former != key:
        fields["former_event_key"] = event_key.text(former)
        words += "; it signs them by another event key from here on"
    return action(ControlAction.KIND_HOST_ENROLLED, caller.id, pair.host, words, **fields)

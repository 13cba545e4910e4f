"""Tokens, and hosts that join by them.

A token is a certificate with a short life and the id `/enrol/TOKEN`; it is used up in the transaction that records the
host. A host that is enrolled already can only be enrolled again by a token that was made for its name: its older
certificates end, and its chain of batches goes on or begins anew. A banned host cannot be enrolled at all.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from landfast.identity import IdentityError, Role, SpiffeId, check_name
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

_tokens, _hosts = schema.tokens, schema.hosts


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


async def enrol(transaction: Transaction, caller: Caller, pair: Pair) -> Issued:
    """Uses up the caller's token and makes `pair` the only one of its host."""
    token = await _unused(transaction, caller.name)
    again = await _check_host(transaction, token, pair.host)
    ended = await renewal.end(transaction, pair.host)
    await renewal.add(transaction, pair, caller.id, pending=False)
    await _record(transaction, caller, pair, again)
    return Issued(pair, ended)


async def _unused(transaction: Transaction, token_id: str) -> Row[tuple[object, ...]]:
    token = (await transaction.connection.execute(select(_tokens).where(_tokens.c.id == token_id))).one()
    if token.used_ns is not None:
        raise NotPermittedError(
            f"token {token_id} has been used by host {token.used_by}; a token is good for one host, make another one "
            "(landfast fleet token create)"
        )
    return token


async def _check_host(transaction: Transaction, token: Row[tuple[object, ...]], host: str) -> bool:
    """Whether the host was enrolled before. Raises when the token is not good for it."""
    if token.host and token.host != host:
        raise NotPermittedError(f"token {token.id} is for host {token.host}, not for {host}; make one for {host}")
    known = select(_hosts.c.banned_ns, _hosts.c.ban_reason).where(_hosts.c.name == host)
    found = (await transaction.connection.execute(known)).one_or_none()
    if found is not None and found.banned_ns is not None:
        raise banned(host, found.ban_reason)
    if found is not None and not token.host:
        raise AlreadyExistsError(
            f"host {host} is enrolled already; to enrol it again make a token of its name "
            f"(landfast fleet token create --host {host}), or give this host another name"
        )
    return found is not None


async def _record(transaction: Transaction, caller: Caller, pair: Pair, again: bool) -> None:
    host = pair.host
    index, now_ns = transaction.next_index, transaction.now_ns
    row = {"name": host, "enrolled_ns": now_ns, "last_seen_ns": now_ns, "enrolled_index": index, "chain_begun": 0}
    statement = upsert(_hosts).values(**row, chain_start=index)
    await transaction.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))
    used = {"used_ns": transaction.now_ns, "used_by": host}
    await transaction.connection.execute(update(_tokens).where(_tokens.c.id == caller.name).values(**used))
    words = f"host {host} enrolled{' again: its events go on or begin anew' if again else ''}"
    serial = serial_of(pair.agent)
    enrolled = action(ControlAction.KIND_HOST_ENROLLED, caller.id, host, words, again=again, serial=serial)
    await transaction.record(enrolled)

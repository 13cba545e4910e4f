"""IdentityService: people (and their programs) get identities, and lose them."""

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from landfast.identity import PEOPLE, IdentityError, Role, SpiffeId, check_name
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.fleet_pb2 import (
    CreateIdentityRequest,
    CreateIdentityResponse,
    Identity,
    ListIdentitiesRequest,
    ListIdentitiesResponse,
    RevokeIdentityRequest,
    RevokeIdentityResponse,
)
from landfast.v1.fleet_pb2_grpc import IdentityServiceServicer
from landfast_controller import identities
from landfast_controller.actions import action
from landfast_controller.authority import requested_key, serial_of
from landfast_controller.callers import Caller, Context, current_caller
from landfast_controller.deployment import Deployment
from landfast_controller.errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from landfast_controller.store import Transaction

LIFETIME = timedelta(days=90)
LONGEST_LIFETIME = timedelta(days=366)


@dataclass(frozen=True)
class IdentityService(IdentityServiceServicer):
    deployment: Deployment

    async def CreateIdentity(self, request: CreateIdentityRequest, context: Context) -> CreateIdentityResponse:
        actor, key = current_caller(), requested_key(request.csr)
        holder = SpiffeId(self.deployment.authority.domain, _role(request.role), _name(request.name))
        life = identities.lifetime(request.lifetime_s, LIFETIME, LONGEST_LIFETIME)
        certificate = self.deployment.authority.issue(holder, key, life)
        identity = await self.deployment.store.write(lambda tx: create(tx, holder, certificate, actor.id))
        self.deployment.roster.admit_all([certificate])
        pem = certificate.public_bytes(Encoding.PEM)
        return CreateIdentityResponse(identity=identity, certificate=pem, authority=self.deployment.authority.pem)

    async def ListIdentities(self, request: ListIdentitiesRequest, context: Context) -> ListIdentitiesResponse:
        async with self.deployment.store.reading() as connection:
            return ListIdentitiesResponse(identities=await identities.all_of(connection, PEOPLE))

    async def RevokeIdentity(self, request: RevokeIdentityRequest, context: Context) -> RevokeIdentityResponse:
        actor, name = current_caller(), _name(request.name)
        identity, serials = await self.deployment.store.write(lambda tx: revoke(tx, actor, name))
        self.deployment.roster.withdraw(serials)
        return RevokeIdentityResponse(identity=identity)


async def create(transaction: Transaction, holder: SpiffeId, certificate: x509.Certificate, actor: object) -> Identity:
    """Records a person's identity. A name is one person's, with one role, for as long as it is valid."""
    found = await identities.newest(transaction.connection, holder.name, PEOPLE)
    if found is not None and identities.is_valid(found):
        raise AlreadyExistsError(
            f"identity {holder.name} exists, with the role {found.role}; choose another name, or revoke it first "
            f"(landfast identity revoke {holder.name})"
        )
    identity = await identities.add(transaction, certificate, actor)
    words = f"{holder.role} {holder.name}"
    kind = ControlAction.KIND_IDENTITY_CREATED
    await transaction.record(action(kind, actor, holder.name, words, role=holder.role, serial=serial_of(certificate)))
    return identity


async def revoke(transaction: Transaction, actor: Caller, name: str) -> tuple[Identity, list[str]]:
    """Ends a person's identity; the serial numbers are to be withdrawn after the commit."""
    found = await identities.newest(transaction.connection, name, PEOPLE)
    if found is None:
        raise NotFoundError(f"identity {name} does not exist; `landfast identity list` shows those that do")
    if found.revoked_ns is not None:
        raise ConflictError(f"identity {name} has been revoked already; nothing is left to do")
    await _check_last_approver(transaction, found.role, name)
    serials = await identities.revoke(transaction, Role(found.role), name)
    words = f"{found.role} {name}"
    await transaction.record(action(ControlAction.KIND_IDENTITY_REVOKED, actor.id, name, words, role=found.role))
    revoked = await identities.newest(transaction.connection, name, PEOPLE)
    assert revoked is not None
    return identities.message(revoked), serials


async def _check_last_approver(transaction: Transaction, role: str, name: str) -> None:
    if role == Role.APPROVER and not await identities.has_other(transaction.connection, Role.APPROVER, name):
        raise ConflictError(
            f"{name} is the last approver, nobody could create identities any more; create another approver first "
            "(landfast identity create NAME --role approver --out F)"
        )


def _role(role: str) -> Role:
    if role not in [str(each) for each in PEOPLE]:
        raise InvalidError(f"role {role!r}: use {', '.join(PEOPLE)}")
    return Role(role)


def _name(name: str) -> str:
    try:
        return check_name(name)
    except IdentityError as error:
        raise InvalidError(f"identity {error}") from None

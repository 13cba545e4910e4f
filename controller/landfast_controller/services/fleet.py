"""FleetService: hosts, tokens by which they join, and who is let in no more."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding

from landfast.v1.fleet_pb2 import (
    BanHostRequest,
    BanHostResponse,
    CreateTokenRequest,
    CreateTokenResponse,
    EvictHostRequest,
    EvictHostResponse,
    GetHostRequest,
    GetHostResponse,
    Host,
    LabelHostRequest,
    LabelHostResponse,
    ListHostsRequest,
    ListHostsResponse,
    UnbanHostRequest,
    UnbanHostResponse,
)
from landfast.v1.fleet_pb2_grpc import FleetServiceServicer
from landfast_controller import enrolment, hosts, identities, membership
from landfast_controller.actions import checked_reason
from landfast_controller.authority import requested_key
from landfast_controller.callers import Context, current_caller
from landfast_controller.deployment import Deployment
from landfast_controller.errors import InvalidError
from landfast_controller.rollout.plan import check_label


@dataclass(frozen=True)
class FleetService(FleetServiceServicer):
    deployment: Deployment

    async def ListHosts(self, request: ListHostsRequest, context: Context) -> ListHostsResponse:
        return ListHostsResponse(hosts=await self._hosts())

    async def GetHost(self, request: GetHostRequest, context: Context) -> GetHostResponse:
        return GetHostResponse(host=await self._host(enrolment.checked_host(request.name)))

    async def CreateToken(self, request: CreateTokenRequest, context: Context) -> CreateTokenResponse:
        actor, host = current_caller(), enrolment.checked_host(request.host) if request.host else ""
        life = identities.lifetime(request.lifetime_s, enrolment.TOKEN_LIFETIME, enrolment.LONGEST_TOKEN_LIFETIME)
        token = enrolment.new_token(self.deployment.authority, requested_key(request.csr), life)
        await self.deployment.store.write(lambda transaction: enrolment.add_token(transaction, token, host, actor))
        self.deployment.roster.admit_all([token.certificate])
        response = CreateTokenResponse(token_id=token.holder.name, authority=self.deployment.authority.pem)
        response.certificate = token.certificate.public_bytes(Encoding.PEM)
        response.expires.FromNanoseconds(token.expires_ns)
        return response

    async def BanHost(self, request: BanHostRequest, context: Context) -> BanHostResponse:
        actor, name, reason = current_caller(), enrolment.checked_host(request.name), checked_reason(request.reason)
        await self.deployment.store.write(lambda transaction: membership.ban(transaction, actor, name, reason))
        self.deployment.roster.ban(name, reason)
        return BanHostResponse(host=await self._host(name))

    async def UnbanHost(self, request: UnbanHostRequest, context: Context) -> UnbanHostResponse:
        actor, name, reason = current_caller(), enrolment.checked_host(request.name), checked_reason(request.reason)
        await self.deployment.store.write(lambda transaction: membership.unban(transaction, actor, name, reason))
        self.deployment.roster.unban(name)
        return UnbanHostResponse(host=await self._host(name))

    async def LabelHost(self, request: LabelHostRequest, context: Context) -> LabelHostResponse:
        actor, name, label = current_caller(), enrolment.checked_host(request.name), _label(request.label)
        await self.deployment.store.write(lambda tx: membership.label(tx, actor, name, label, remove=request.remove))
        self.deployment.conductor.notice()
        return LabelHostResponse(host=await self._host(name))

    async def EvictHost(self, request: EvictHostRequest, context: Context) -> EvictHostResponse:
        actor, name, reason = current_caller(), enrolment.checked_host(request.name), checked_reason(request.reason)
        ended = await self.deployment.store.write(lambda tx: membership.evict(tx, actor, name, reason))
        self.deployment.roster.withdraw(ended)
        return EvictHostResponse(host=await self._host(name))

    async def _host(self, name: str) -> Host:
        found = await self._hosts(name)
        if not found:
            raise membership.not_enrolled(name)
        return found[0]

    async def _hosts(self, name: str = "") -> list[Host]:
        """All hosts, or the one that is called `name`.

        What is in memory is read first: a host whose sign of life is shown is shown with all that it has said before.
        """
        placement, seats = self.deployment.placement, self.deployment.presence.seats()
        async with self.deployment.store.reading() as connection:
            rows = await hosts.rows(connection, name)
        goals = {row.name: placement.of(row.name) for row in rows}
        wanted = {number: await placement.version(number) for number in set(goals.values()) if number}
        return [hosts.message(row, wanted.get(goals[row.name]), seats.get(row.name)) for row in rows]


def _label(label: str) -> str:
    try:
        check_label(label)
    except ValueError as error:
        raise InvalidError(f"label: {error}") from None
    return label

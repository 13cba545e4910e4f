"""FleetService: hosts, and tokens by which they join."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding

from landfast.v1.fleet_pb2 import (
    CreateTokenRequest,
    CreateTokenResponse,
    GetHostRequest,
    GetHostResponse,
    ListHostsRequest,
    ListHostsResponse,
)
from landfast.v1.fleet_pb2_grpc import FleetServiceServicer
from landfast_controller import enrolment, hosts, identities
from landfast_controller.authority import requested_key, serial_of
from landfast_controller.callers import Context, caller_of
from landfast_controller.deployment import Deployment
from landfast_controller.errors import NotFoundError


@dataclass(frozen=True)
class FleetService(FleetServiceServicer):
    deployment: Deployment

    async def ListHosts(self, request: ListHostsRequest, context: Context) -> ListHostsResponse:
        async with self.deployment.store.reading() as connection:
            rows = await hosts.rows(connection)
        newest = self.deployment.newest.version
        return ListHostsResponse(hosts=[hosts.message(row, newest, self.deployment.presence) for row in rows])

    async def GetHost(self, request: GetHostRequest, context: Context) -> GetHostResponse:
        async with self.deployment.store.reading() as connection:
            rows = await hosts.rows(connection, enrolment.checked_host(request.name))
        if not rows:
            raise NotFoundError(f"host {request.name} is not enrolled; `landfast fleet list` shows the hosts")
        return GetHostResponse(host=hosts.message(rows[0], self.deployment.newest.version, self.deployment.presence))

    async def CreateToken(self, request: CreateTokenRequest, context: Context) -> CreateTokenResponse:
        actor, host = caller_of(context), enrolment.checked_host(request.host) if request.host else ""
        life = identities.lifetime(request.lifetime_s, enrolment.TOKEN_LIFETIME, enrolment.LONGEST_TOKEN_LIFETIME)
        token = enrolment.new_token(self.deployment.authority, requested_key(request.csr), life)
        await self.deployment.store.write(lambda transaction: enrolment.add_token(transaction, token, host, actor))
        self.deployment.roster.admit(serial_of(token.certificate), token.expires_ns)
        response = CreateTokenResponse(token_id=token.holder.name, authority=self.deployment.authority.pem)
        response.certificate = token.certificate.public_bytes(Encoding.PEM)
        response.expires.FromNanoseconds(token.expires_ns)
        return response

"""ShadowService: candidates that judge on hosts, beside the policy in force."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from landfast import shadow
from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.v1.shadow_pb2 import (
    ListShadowsRequest,
    ListShadowsResponse,
    ShadowState,
    StartShadowRequest,
    StartShadowResponse,
    StopShadowRequest,
    StopShadowResponse,
)
from landfast.v1.shadow_pb2_grpc import ShadowServiceServicer
from landfast_controller import enrolment, identities, shadows
from landfast_controller.actions import checked_reason
from landfast_controller.callers import Context, current_caller
from landfast_controller.deployment import Deployment
from landfast_controller.errors import InvalidError
from landfast_controller.shadows import NewShadow


@dataclass(frozen=True)
class ShadowService(ShadowServiceServicer):
    deployment: Deployment

    async def StartShadow(self, request: StartShadowRequest, context: Context) -> StartShadowResponse:
        hosts, new = _hosts(request.hosts), await asyncio.to_thread(_checked, request)
        names = await self.deployment.shadows.start(current_caller(), new, hosts)
        return StartShadowResponse(shadows=await self._listed(names))

    async def StopShadow(self, request: StopShadowRequest, context: Context) -> StopShadowResponse:
        hosts, reason = _hosts(request.hosts), checked_reason(request.reason)
        names = await self.deployment.shadows.stop(current_caller(), hosts, reason)
        return StopShadowResponse(shadows=await self._listed(names))

    async def ListShadows(self, request: ListShadowsRequest, context: Context) -> ListShadowsResponse:
        return ListShadowsResponse(shadows=await self._listed(()))

    async def _listed(self, hosts: Sequence[str]) -> list[ShadowState]:
        async with self.deployment.store.reading() as connection:
            return await shadows.listed(connection, hosts)


def _hosts(names: Sequence[str]) -> list[str]:
    return [enrolment.checked_host(name) for name in names]


def _checked(request: StartShadowRequest) -> NewShadow:
    """Takes seconds if the candidate is large. What does not compile here is sent to nobody."""
    reason = checked_reason(request.reason)
    life = identities.lifetime(request.lifetime_s, shadow.LIFETIME, shadow.LONGEST_LIFETIME)
    try:
        shadow.prepare(request.canonical)
    except PolicyError as error:
        raise InvalidError(str(error)) from None
    digest = canonical.digest(request.canonical)
    return NewShadow(request.canonical, digest, int(life.total_seconds()) * 10**9, reason)

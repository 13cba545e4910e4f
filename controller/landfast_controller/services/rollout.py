"""RolloutService: how far the newest version has come, and who holds it up."""

from dataclasses import dataclass

from landfast.v1.rollout_pb2 import (
    GetRolloutRequest,
    GetRolloutResponse,
    PauseRolloutRequest,
    PauseRolloutResponse,
    ResumeRolloutRequest,
    ResumeRolloutResponse,
    Rollout,
)
from landfast.v1.rollout_pb2_grpc import RolloutServiceServicer
from landfast_controller.actions import checked_reason
from landfast_controller.callers import Context, current_caller
from landfast_controller.deployment import Deployment
from landfast_controller.rollout import telling


@dataclass(frozen=True)
class RolloutService(RolloutServiceServicer):
    deployment: Deployment

    async def GetRollout(self, request: GetRolloutRequest, context: Context) -> GetRolloutResponse:
        return GetRolloutResponse(rollout=await self._rollout())

    async def PauseRollout(self, request: PauseRolloutRequest, context: Context) -> PauseRolloutResponse:
        await self.deployment.conductor.pause(current_caller(), checked_reason(request.reason))
        return PauseRolloutResponse(rollout=await self._rollout())

    async def ResumeRollout(self, request: ResumeRolloutRequest, context: Context) -> ResumeRolloutResponse:
        await self.deployment.conductor.resume(current_caller(), checked_reason(request.reason))
        return ResumeRolloutResponse(rollout=await self._rollout())

    async def _rollout(self) -> Rollout:
        progress, hosts = await self.deployment.conductor.look()
        return telling.message(progress, hosts, self.deployment.placement, self.deployment.conductor.limits)

"""IncidentService: what somebody should look at."""

from dataclasses import dataclass

from landfast.v1.incident_pb2 import (
    AcknowledgeIncidentRequest,
    AcknowledgeIncidentResponse,
    CloseIncidentRequest,
    CloseIncidentResponse,
    GetIncidentRequest,
    GetIncidentResponse,
    ListIncidentsRequest,
    ListIncidentsResponse,
)
from landfast.v1.incident_pb2_grpc import IncidentServiceServicer
from landfast_controller.actions import checked_reason
from landfast_controller.callers import Context, current_caller
from landfast_controller.deployment import Deployment


@dataclass(frozen=True)
class IncidentService(IncidentServiceServicer):
    deployment: Deployment

    async def ListIncidents(self, request: ListIncidentsRequest, context: Context) -> ListIncidentsResponse:
        return ListIncidentsResponse(incidents=await self.deployment.desk.find(request.closed, request.limit))

    async def GetIncident(self, request: GetIncidentRequest, context: Context) -> GetIncidentResponse:
        return GetIncidentResponse(incident=await self.deployment.desk.get(request.id))

    async def AcknowledgeIncident(
        self, request: AcknowledgeIncidentRequest, context: Context
    ) -> AcknowledgeIncidentResponse:
        found = await self.deployment.desk.acknowledge(current_caller(), request.id)
        return AcknowledgeIncidentResponse(incident=found)

    async def CloseIncident(self, request: CloseIncidentRequest, context: Context) -> CloseIncidentResponse:
        reason = checked_reason(request.reason)
        found = await self.deployment.desk.close(current_caller(), request.id, reason)
        return CloseIncidentResponse(incident=found)

"""PolicyService: the versions of the policy, new ones, and who approves them."""

import time
from dataclasses import dataclass

from landfast.v1.policy_pb2 import (
    ApproveChangeRequest,
    ApproveChangeResponse,
    CloseChangeRequest,
    CloseChangeResponse,
    GetChangeRequest,
    GetChangeResponse,
    GetPolicyRequest,
    GetPolicyResponse,
    ListChangesRequest,
    ListChangesResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    ListRootsRequest,
    ListRootsResponse,
    ProposePolicyRequest,
    ProposePolicyResponse,
    PublishRootRequest,
    PublishRootResponse,
)
from landfast.v1.policy_pb2_grpc import PolicyServiceServicer
from landfast_controller import changes, policies
from landfast_controller.callers import Context, current_caller
from landfast_controller.deployment import Deployment
from landfast_controller.errors import NotFoundError

_PAGE = 100
_LONGEST_PAGE = 1000


@dataclass(frozen=True)
class PolicyService(PolicyServiceServicer):
    deployment: Deployment

    async def GetPolicy(self, request: GetPolicyRequest, context: Context) -> GetPolicyResponse:
        async with self.deployment.store.reading() as connection:
            version = await policies.read(connection, request.version)
        if version is None:
            raise NotFoundError(_missing(request.version))
        return GetPolicyResponse(policy_version=version)

    async def ListPolicies(self, request: ListPoliciesRequest, context: Context) -> ListPoliciesResponse:
        limit = min(request.limit or _PAGE, _LONGEST_PAGE)
        async with self.deployment.store.reading() as connection:
            return ListPoliciesResponse(policy_versions=await policies.history(connection, request.before, limit))

    async def ProposePolicy(self, request: ProposePolicyRequest, context: Context) -> ProposePolicyResponse:
        caller, why = current_caller(), (request.reason, request.ticket)
        change, version = await self.deployment.proposals.propose(
            caller, request.canonical, request.targets, why, at_once=request.at_once
        )
        return ProposePolicyResponse(change=change, policy_version=version)

    async def ListChanges(self, request: ListChangesRequest, context: Context) -> ListChangesResponse:
        limit, trust, now_ns = min(request.limit or _PAGE, _LONGEST_PAGE), self.deployment.trust, time.time_ns()
        async with self.deployment.store.reading() as connection:
            rows = await changes.newest(connection, request.before, limit)
        return ListChangesResponse(changes=[changes.message(row, trust, now_ns, whole=False) for row in rows])

    async def GetChange(self, request: GetChangeRequest, context: Context) -> GetChangeResponse:
        async with self.deployment.store.reading() as connection:
            row = await changes.read(connection, request.id)
        return GetChangeResponse(change=changes.message(row, self.deployment.trust, time.time_ns(), whole=True))

    async def ApproveChange(self, request: ApproveChangeRequest, context: Context) -> ApproveChangeResponse:
        caller, proposals = current_caller(), self.deployment.proposals
        signed = request.key_id, request.signature
        change, version = await proposals.approve(caller, request.id, signed, at_once=request.at_once)
        return ApproveChangeResponse(change=change, policy_version=version)

    async def CloseChange(self, request: CloseChangeRequest, context: Context) -> CloseChangeResponse:
        change = await self.deployment.proposals.close(current_caller(), request.id, request.reason)
        return CloseChangeResponse(change=change)

    async def ListRoots(self, request: ListRootsRequest, context: Context) -> ListRootsResponse:
        return ListRootsResponse(roots=self.deployment.trust.roots)

    async def PublishRoot(self, request: PublishRootRequest, context: Context) -> PublishRootResponse:
        version = await self.deployment.proposals.publish_root(current_caller(), request.root)
        return PublishRootResponse(version=version)


def _missing(version: int) -> str:
    if version:
        return f"policy version {version} does not exist; `landfast policy history` lists those that do"
    return "there is no policy yet; make the first one with `landfast policy apply F --reason T`"

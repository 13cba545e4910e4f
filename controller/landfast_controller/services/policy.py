"""PolicyService: the versions of the policy, and new ones."""

from dataclasses import dataclass

from landfast.v1.policy_pb2 import (
    GetPolicyRequest,
    GetPolicyResponse,
    ListPoliciesRequest,
    ListPoliciesResponse,
    ProposePolicyRequest,
    ProposePolicyResponse,
)
from landfast.v1.policy_pb2_grpc import PolicyServiceServicer
from landfast_controller import policies
from landfast_controller.callers import Context, caller_of
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
        author = str(caller_of(context).id)
        version = await self.deployment.proposals.accept(request.canonical, author, request.reason, request.ticket)
        return ProposePolicyResponse(policy_version=version)


def _missing(version: int) -> str:
    if version:
        return f"policy version {version} does not exist; `landfast policy history` lists those that do"
    return "there is no policy yet; make the first one with `landfast policy apply F --reason T`"

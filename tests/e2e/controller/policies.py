"""Policies as an operator proposes them, through the contract alone."""

from typing import Any

from grpc.aio import AioRpcError

from landfast.policy import canonical, source
from landfast.policy.model import Policy
from landfast.policy.succession import succeed
from landfast.v1.policy_pb2 import GetPolicyRequest, PolicyVersion, ProposePolicyRequest
from landfast.v1.policy_pb2_grpc import PolicyServiceStub
from tests.e2e.controller.deployment import Deployment

_FILE = """\
version: 1
data_classes:
  eea-user-data:
    mode: enforce
    allow:
      - to: {prefix}
        ports: [tcp/443]
        reason: replication
"""


def following(previous: Policy | None, prefix: str) -> bytes:
    """The canonical form of the version after `previous` that allows one prefix."""
    draft = source.read(_FILE.format(prefix=prefix)).draft
    return canonical.encode(succeed(draft, previous))


def request_for(deployment: Deployment, content: bytes, reason: str = "a test") -> ProposePolicyRequest:
    """A proposal that the first approver has approved already."""
    return ProposePolicyRequest(canonical=content, reason=reason, targets=deployment.signed(content))


async def propose(deployment: Deployment, prefix: str, *, at_once: bool = False) -> PolicyVersion:
    """Makes a policy that allows one prefix the newest version."""
    async with deployment.channel(deployment.approver) as channel:
        stub = PolicyServiceStub(channel)
        request = request_for(deployment, following(await newest(stub), prefix))
        request.at_once = at_once
        made = await stub.ProposePolicy(request)
    return made.policy_version


async def newest(stub: Any) -> Policy | None:
    try:
        found = await stub.GetPolicy(GetPolicyRequest())
    except AioRpcError:
        return None
    return canonical.decode(found.policy_version.policy.canonical)

"""Every role at every method that the server offers."""

from typing import Any

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError, Channel

from landfast_controller.server import methods
from tests.e2e.controller.deployment import Deployment

_ROLES = ("agent", "enrol", "recover", "operator", "approver", "auditor")
_ANY = set(_ROLES) - {"recover"}
_PEOPLE = {"operator", "approver", "auditor"}

#: Written down anew, not taken from the server.
_MAY = {
    "landfast.v1.AgentService/Enroll": {"enrol"},
    "landfast.v1.AgentService/Renew": {"agent", "recover"},
    "landfast.v1.AgentService/Sync": {"agent"},
    "landfast.v1.AgentService/Push": {"agent"},
    "landfast.v1.PolicyService/GetPolicy": _PEOPLE,
    "landfast.v1.PolicyService/ListPolicies": _PEOPLE,
    "landfast.v1.PolicyService/ProposePolicy": {"operator", "approver"},
    "landfast.v1.PolicyService/ListChanges": _PEOPLE,
    "landfast.v1.PolicyService/GetChange": _PEOPLE,
    "landfast.v1.PolicyService/ApproveChange": {"approver"},
    "landfast.v1.PolicyService/CloseChange": {"operator", "approver"},
    "landfast.v1.PolicyService/ListRoots": _PEOPLE,
    "landfast.v1.PolicyService/PublishRoot": {"approver"},
    "landfast.v1.FleetService/ListHosts": _PEOPLE,
    "landfast.v1.FleetService/GetHost": _PEOPLE,
    "landfast.v1.FleetService/CreateToken": {"operator", "approver"},
    "landfast.v1.FleetService/BanHost": {"operator", "approver"},
    "landfast.v1.FleetService/UnbanHost": {"approver"},
    "landfast.v1.FleetService/EvictHost": {"operator", "approver"},
    "landfast.v1.FleetService/LabelHost": {"operator", "approver"},
    "landfast.v1.RolloutService/GetRollout": _PEOPLE,
    "landfast.v1.RolloutService/PauseRollout": {"operator", "approver"},
    "landfast.v1.RolloutService/ResumeRollout": {"operator", "approver"},
    "landfast.v1.IdentityService/CreateIdentity": {"approver"},
    "landfast.v1.IdentityService/ListIdentities": {"operator", "approver"},
    "landfast.v1.IdentityService/RevokeIdentity": {"approver"},
    "landfast.v1.ShadowService/StartShadow": {"operator", "approver"},
    "landfast.v1.ShadowService/StopShadow": {"operator", "approver"},
    "landfast.v1.ShadowService/ListShadows": _PEOPLE,
    "landfast.v1.IncidentService/ListIncidents": _PEOPLE,
    "landfast.v1.IncidentService/GetIncident": _PEOPLE,
    "landfast.v1.IncidentService/AcknowledgeIncident": {"operator", "approver"},
    "landfast.v1.IncidentService/CloseIncident": {"operator", "approver"},
    "landfast.v1.AuditService/Subscribe": _PEOPLE,
    "landfast.v1.AuditService/ReadLog": _PEOPLE,
    "landfast.v1.AuditService/GetLogKey": _PEOPLE,
    "landfast.v1.AuditService/AddCosignature": {"auditor"},
    "grpc.health.v1.Health/Check": _ANY,
    "grpc.health.v1.Health/List": _ANY,
    "grpc.health.v1.Health/Watch": _ANY,
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _ANY,
}


def test_the_table_names_every_method() -> None:
    assert {f"/{method}" for method in _MAY} == set(methods())


@pytest.mark.parametrize("role", _ROLES)
async def test_a_role_may_call_what_the_table_says_and_nothing_else(deployment: Deployment, role: str) -> None:
    bundle = await deployment.by_role(role)
    async with deployment.channel(bundle) as channel:
        answers = {}
        for method, roles in _MAY.items():
            open_call: Any = channel.unary_stream(f"/{method}")
            answers[method] = await _status(open_call(b"", timeout=1 if role in roles else 10))  # a stream goes on
    refused = {method for method, code in answers.items() if code == StatusCode.PERMISSION_DENIED}
    assert refused == {method for method, roles in _MAY.items() if role not in roles}, answers
    assert StatusCode.UNAUTHENTICATED not in answers.values()
    assert StatusCode.UNKNOWN not in answers.values()


async def _status(call: Any) -> StatusCode:
    """How a call ends that sends one empty message: every kind of method takes it.

    The message goes out as the call is made. A stream that is refused while one writes may end as INTERNAL instead.
    """
    try:
        async for _ in call:
            pass
    except AioRpcError as failure:
        return failure.code()
    return StatusCode.OK


async def _call(channel: Channel, method: str) -> Any:
    make: Any = channel.unary_unary(method)
    return await make(b"")


async def test_a_method_that_does_not_exist_is_unimplemented(deployment: Deployment) -> None:
    async with deployment.channel(deployment.approver) as channel:
        with pytest.raises(AioRpcError) as failure:
            await _call(channel, "/landfast.v1.PolicyService/DropEverything")
    assert failure.value.code() == StatusCode.UNIMPLEMENTED


async def test_a_refusal_names_caller_method_and_remedy(deployment: Deployment) -> None:
    async with deployment.channel(await deployment.identity("auditor", "nosy")) as channel:
        with pytest.raises(AioRpcError) as failure:
            await _call(channel, "/landfast.v1.IdentityService/CreateIdentity")
    details = failure.value.details() or ""
    assert details.startswith("spiffe://landfast.internal/auditor/nosy may not call CreateIdentity: ")
    assert "approver" in details

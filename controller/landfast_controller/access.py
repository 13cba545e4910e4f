"""Who may call what: one table, asked before every call and for as long as it lasts.

A method that is not in the table is nobody's. `check_complete` refuses to start a server with such a method.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import structlog
from sqlalchemy.exc import SQLAlchemyError

from landfast.identity import PEOPLE, Role
from landfast_controller.callers import Caller, Context, identified
from landfast_controller.errors import NotPermittedError, NotStoredError, RefusedError
from landfast_controller.roster import Roster

_AGENT = frozenset({Role.AGENT})
_PEOPLE = frozenset(PEOPLE)
_OPERATORS = frozenset({Role.OPERATOR, Role.APPROVER})
_APPROVERS = frozenset({Role.APPROVER})
_AUDITORS = frozenset({Role.AUDITOR})
_ALL = frozenset(Role) - {Role.RECOVER}

ROLES: dict[str, frozenset[Role]] = {
    "/landfast.v1.AgentService/Enroll": frozenset({Role.ENROL}),
    "/landfast.v1.AgentService/Renew": frozenset({Role.AGENT, Role.RECOVER}),
    "/landfast.v1.AgentService/Sync": _AGENT,
    "/landfast.v1.AgentService/Push": _AGENT,
    "/landfast.v1.PolicyService/GetPolicy": _PEOPLE,
    "/landfast.v1.PolicyService/ListPolicies": _PEOPLE,
    "/landfast.v1.PolicyService/ProposePolicy": _OPERATORS,
    "/landfast.v1.PolicyService/ListChanges": _PEOPLE,
    "/landfast.v1.PolicyService/GetChange": _PEOPLE,
    "/landfast.v1.PolicyService/ApproveChange": _APPROVERS,
    "/landfast.v1.PolicyService/CloseChange": _OPERATORS,
    "/landfast.v1.PolicyService/ListRoots": _PEOPLE,
    "/landfast.v1.PolicyService/PublishRoot": _APPROVERS,
    "/landfast.v1.FleetService/ListHosts": _PEOPLE,
    "/landfast.v1.FleetService/GetHost": _PEOPLE,
    "/landfast.v1.FleetService/CreateToken": _OPERATORS,
    "/landfast.v1.FleetService/BanHost": _OPERATORS,
    "/landfast.v1.FleetService/UnbanHost": _APPROVERS,
    "/landfast.v1.FleetService/EvictHost": _OPERATORS,
    "/landfast.v1.FleetService/LabelHost": _OPERATORS,
    "/landfast.v1.RolloutService/GetRollout": _PEOPLE,
    "/landfast.v1.RolloutService/PauseRollout": _OPERATORS,
    "/landfast.v1.RolloutService/ResumeRollout": _OPERATORS,
    "/landfast.v1.IdentityService/CreateIdentity": _APPROVERS,
    "/landfast.v1.IdentityService/ListIdentities": _OPERATORS,
    "/landfast.v1.IdentityService/RevokeIdentity": _APPROVERS,
    "/landfast.v1.ShadowService/StartShadow": _OPERATORS,
    "/landfast.v1.ShadowService/StopShadow": _OPERATORS,
    "/landfast.v1.ShadowService/ListShadows": _PEOPLE,
    "/landfast.v1.AuditService/Subscribe": _PEOPLE,
    "/landfast.v1.AuditService/ReadLog": _PEOPLE,
    "/landfast.v1.AuditService/GetLogKey": _PEOPLE,
    "/landfast.v1.AuditService/AddCosignature": _AUDITORS,
    "/landfast.v1.IncidentService/ListIncidents": _PEOPLE,
    "/landfast.v1.IncidentService/GetIncident": _PEOPLE,
    "/landfast.v1.IncidentService/AcknowledgeIncident": _OPERATORS,
    "/landfast.v1.IncidentService/CloseIncident": _OPERATORS,
    "/grpc.health.v1.Health/Check": _ALL,
    "/grpc.health.v1.Health/List": _ALL,
    "/grpc.health.v1.Health/Watch": _ALL,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _ALL,
}

#: Bytes of a refusal. It is sent in a header, where a byte may take three and 8 KiB are sure to arrive.
_DETAILS_LIMIT = 2500

_log = structlog.get_logger()

Behaviour = Callable[[Any, Context], Any]


def check_complete(methods: Iterable[str]) -> None:
    """Raises RuntimeError unless the table names exactly `methods`: the code is wrong then, not the deployment."""
    if different := set(methods) ^ set(ROLES):
        raise RuntimeError(f"methods and the table of roles differ: {sorted(different)}")


def check_role(caller: Caller, method: str) -> None:
    """Raises NotPermittedError unless the role of `caller` may call `method`."""
    allowed = ROLES.get(method, frozenset())
    if caller.role not in allowed:
        raise NotPermittedError(
            f"{caller.id} may not call {method.rpartition('/')[2]}: it takes the role {_either(allowed)}; "
            "ask somebody who has it"
        )


class Gate(grpc.aio.ServerInterceptor):
    """Lets a call through to its service, guards it while it lasts, and turns refusals into gRPC statuses."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        return handler and self._guarded(handler, handler_call_details.method)

    def _guarded(self, handler: Any, method: str) -> Any:
        kind = _kind(handler)
        behaviour = getattr(handler, kind)
        guarded = self._stream(behaviour, method) if handler.response_streaming else self._unary(behaviour, method)
        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    def _unary(self, behaviour: Behaviour, method: str) -> Behaviour:
        """A call that has begun is finished, even when the caller hangs up: nothing is half recorded."""

        async def call(request: Any, context: Context) -> Any:
            async with self._admitted(context, method):
                return await asyncio.shield(asyncio.ensure_future(behaviour(request, context)))

        return call

    def _stream(self, behaviour: Behaviour, method: str) -> Behaviour:
        async def call(request: Any, context: Context) -> None:
            async with self._admitted(context, method):
                if inspect.isasyncgenfunction(behaviour):
                    async with aclosing(behaviour(request, context)) as responses:
                        async for response in responses:
                            await context.write(response)
                else:
                    await behaviour(request, context)

        return call

    @asynccontextmanager
    async def _admitted(self, context: Context, method: str) -> AsyncIterator[None]:
        try:
            caller = identified(context)
            self._roster.check(caller)
            check_role(caller, method)
            async with self._roster.guard(caller):
                yield
        except RefusedError as refusal:
            await self._abort(context, method, refusal)
        except SQLAlchemyError as error:
            await self._abort(context, method, NotStoredError(f"the controller's database: {error}; it is tried again"))

    async def _abort(self, context: Context, method: str, refusal: RefusedError) -> None:
        _log.info("refused", method=method, peer=context.peer(), code=refusal.code.name, why=str(refusal))
        await context.abort(refusal.code, _shortened(str(refusal)))


def _kind(handler: Any) -> str:
    """`unary_stream` and the like: the name of the handler's behaviour."""
    request = "stream" if handler.request_streaming else "unary"
    return f"{request}_{'stream' if handler.response_streaming else 'unary'}"


def _either(roles: Iterable[Role]) -> str:
    return " or ".join(sorted(roles)) or "that nobody has"


def _shortened(text: str) -> str:
    encoded = text.encode()
    return text if len(encoded) <= _DETAILS_LIMIT else encoded[:_DETAILS_LIMIT].decode(errors="ignore") + " [...]"

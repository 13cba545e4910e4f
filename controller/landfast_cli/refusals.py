"""What a failed call means to the person who made it."""

import grpc
from grpc import StatusCode

from landfast_cli.errors import AnswerIsNoError, BadInputError, CliError, CouldNotError

_KINDS: dict[StatusCode, type[CliError]] = {
    StatusCode.INVALID_ARGUMENT: BadInputError,
    StatusCode.NOT_FOUND: BadInputError,
    StatusCode.OUT_OF_RANGE: BadInputError,
    StatusCode.ALREADY_EXISTS: AnswerIsNoError,
    StatusCode.FAILED_PRECONDITION: AnswerIsNoError,
}

#: What gRPC says of a connection that failed, and what is behind it. The first that fits is taken.
_CONNECTION = (
    (
        "CERTIFICATE_VERIFY_FAILED",
        "it is not the controller of this identity's deployment (its certificate is of another authority, or expired); "
        "check the address, or use an identity file of that controller",
    ),
    ("handshake", "no TLS connection comes about; check that the address and port are the controller's"),
    ("Connection refused", "nobody listens there; start the controller, or check the address"),
    ("DNS", "the name is not known; check the address"),
    (
        "reset",
        "it closed the connection: it does not accept this identity (of another deployment, or expired); "
        "ask an approver for a new one",
    ),
    (
        "Socket closed",
        "it closed the connection: it does not accept this identity (of another deployment, or expired), or it is "
        "stopping; try again, then ask an approver for a new identity",
    ),
)


def error_of(failure: grpc.RpcError, controller: str) -> CliError:
    """The error to show for a call to `controller` (HOST:PORT)."""
    code, details = failure.code(), failure.details() or ""
    if code == StatusCode.UNAVAILABLE:
        return CouldNotError(f"controller {controller}: {_connection(details)}")
    if code == StatusCode.DEADLINE_EXCEEDED:
        return CouldNotError(f"controller {controller}: no answer in time; check that it runs and can be reached")
    return _KINDS.get(code, CouldNotError)(details or code.name)


def is_passing(failure: grpc.RpcError) -> bool:
    """Whether the same call may work later: the connection failed, or the controller was stopping."""
    return failure.code() in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED, StatusCode.DEADLINE_EXCEEDED)


def _connection(details: str) -> str:
    return next((meaning for sign, meaning in _CONNECTION if sign in details), f"cannot be reached ({details})")

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

_STRANGER = (
    "it is not the controller of this identity's deployment, or its certificate has expired; check the address, or use "
    "an identity file of that controller"
)
_UNKNOWN_TO_IT = (
    "it closed the connection: it is stopping, or this identity is of another deployment or has expired; try again, "
    "then ask an approver for a new identity"
)

#: What gRPC says of a connection that failed, and what is behind it. The first that fits is taken.
_CONNECTION = (
    ("CERTIFICATE_VERIFY_FAILED", _STRANGER),
    ("BAD_SIGNATURE", _STRANGER),
    ("WRONG_VERSION_NUMBER", "what listens there does not speak TLS; check the port"),
    ("handshake", "no TLS connection comes about; check that address and port are the controller's"),
    ("Connection refused", "nobody listens there; start the controller, or check the address"),
    ("Domain name not found", "there is no such name; check the address"),
    ("parse port", "that is not HOST:PORT; check the address"),
    ("reset", _UNKNOWN_TO_IT),
    ("Socket closed", _UNKNOWN_TO_IT),
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
    return next(
        (meaning for sign, meaning in _CONNECTION if sign in details),
        f"it cannot be reached ({details}); check the address",
    )

"""What can go wrong in the controller.

ControllerError             says the thing, the place and the remedy; `status` is the exit status
├── BadInputError                2: usage, configuration
├── UnavailableError             3: files, ports, permissions
└── RefusedError                 a call that is refused; `code` is its gRPC status
    ├── NotAuthenticatedError    UNAUTHENTICATED: the certificate is not, or no longer, one of ours
    ├── NotPermittedError        PERMISSION_DENIED: the role may not do this
    ├── InvalidError             INVALID_ARGUMENT
    ├── NotFoundError            NOT_FOUND
    ├── AlreadyExistsError       ALREADY_EXISTS
    ├── ConflictError            FAILED_PRECONDITION: right in itself, but not in the present state
    ├── OutOfRangeError          OUT_OF_RANGE
    └── NotStoredError           UNAVAILABLE: the database cannot be written; try again
"""

from grpc import StatusCode


class ControllerError(Exception):
    """An error that a person can act on. `status` is the exit status of the command that met it."""

    status = 3


class BadInputError(ControllerError):
    status = 2


class UnavailableError(ControllerError):
    status = 3


class RefusedError(ControllerError):
    code = StatusCode.UNKNOWN


class NotAuthenticatedError(RefusedError):
    code = StatusCode.UNAUTHENTICATED


class NotPermittedError(RefusedError):
    code = StatusCode.PERMISSION_DENIED


class InvalidError(RefusedError):
    code = StatusCode.INVALID_ARGUMENT


class NotFoundError(RefusedError):
    code = StatusCode.NOT_FOUND


class AlreadyExistsError(RefusedError):
    code = StatusCode.ALREADY_EXISTS


class ConflictError(RefusedError):
    code = StatusCode.FAILED_PRECONDITION


class OutOfRangeError(RefusedError):
    code = StatusCode.OUT_OF_RANGE


class NotStoredError(RefusedError):
    code = StatusCode.UNAVAILABLE

"""Who is calling: the identity in the client certificate of a connection.

It is read once, when a call begins. What is being recorded is finished also when the caller hangs up, and by then gRPC
has let go of what a context is about: to ask it for the certificate ends the process (a segmentation fault).
"""

from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import grpc
from cryptography import x509

from landfast.identity import IdentityError, Role, SpiffeId, spiffe_id_of
from landfast_controller.authority import serial_of
from landfast_controller.errors import NotAuthenticatedError

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True)
class Caller:
    """The holder of a certificate that the authority has signed. Whether it is still valid is the roster's to say."""

    id: SpiffeId
    serial: str

    @property
    def role(self) -> Role:
        return self.id.role

    @property
    def name(self) -> str:
        return self.id.name


_CURRENT: ContextVar[Caller] = ContextVar("caller")


def identified(context: Context) -> Caller:
    """The caller of a call that begins; never taken from a message."""
    caller = _caller_of(context)
    _CURRENT.set(caller)
    return caller


def current_caller() -> Caller:
    """Who has made the call that this task works for."""
    return _CURRENT.get()


def _caller_of(context: Context) -> Caller:
    certificate = next(iter(context.auth_context().get("x509_pem_cert", ())), None)
    if certificate is None:
        raise NotAuthenticatedError(
            "this call came without a client certificate; use an identity file of this controller"
        )
    return _parse(bytes(certificate))


@lru_cache(maxsize=16384)
def _parse(pem: bytes) -> Caller:
    certificate = x509.load_pem_x509_certificate(pem)
    try:
        return Caller(spiffe_id_of(certificate), serial_of(certificate))
    except IdentityError as error:
        raise NotAuthenticatedError(f"client certificate: {error}; use an identity file of this controller") from error

"""Who is calling: the identity in the client certificate of a connection."""

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


def caller_of(context: Context) -> Caller:
    """The caller; never taken from a message."""
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

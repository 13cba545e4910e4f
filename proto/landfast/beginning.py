"""Where a host's events are going to begin in a log: what the host says when it enrols, signed by its event key.

A host may have recorded before it joined, so that its first batch in a log may have any number. By what it has signed
an auditor knows which it is, and that nothing was left out before it. The enrolment in the log tells it in `fields`.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from landfast import event_key
from landfast.event_key import BEGINNING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from landfast.batch import BatchView

#: Fields of the enrolment: sequence number, hash before it (hexadecimal, or empty), SHA-256 of the certificate request
#: (hexadecimal), and the signature (base64).
_FIRST, _PREVIOUS, _REQUEST, _SIGNATURE = "begins", "begins_after", "csr_sha256", "begins_signature"

_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BeginningError(ValueError):
    """What cannot be the beginning of a host's events: which part of it, and what was expected."""


@dataclass(frozen=True)
class Beginning:
    """The first batch: the sequence number of its first event, and the hash that it names as `previous`."""

    first: int = 1
    previous: bytes = b""

    @classmethod
    def of(cls, view: "BatchView") -> Self:
        """Where a chain begins whose first batch is `view`."""
        return cls(view.first, view.previous)

    def __str__(self) -> str:
        return f"sequence {self.first}, after the batch {self.previous.hex() or 'none'}"


@dataclass(frozen=True)
class Statement:
    """What a host has signed. `request` is the SHA-256 of the certificate request that it enrols with."""

    beginning: Beginning
    request: bytes
    signature: bytes

    @classmethod
    def sign(cls, key: "Ed25519PrivateKey", host: str, csr: bytes, beginning: Beginning) -> Self:
        """The host's own. `csr` is PKCS#10, DER."""
        request = hashlib.sha256(csr).digest()
        return cls(beginning, request, event_key.sign(key, BEGINNING, _content(host, request, beginning)))

    def is_signed_by(self, public: bytes, host: str) -> bool:
        """Whether the host that has this event key has said so of itself."""
        return event_key.has_signed(public, BEGINNING, _content(host, self.request, self.beginning), self.signature)

    @property
    def fields(self) -> dict[str, str]:
        """As the log tells it."""
        return {
            _FIRST: str(self.beginning.first),
            _PREVIOUS: self.beginning.previous.hex(),
            _REQUEST: self.request.hex(),
            _SIGNATURE: base64.b64encode(self.signature).decode(),
        }

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Self | None:
        """What an enrolment in the log tells; None when it tells nothing. Raises BeginningError for a part of it."""
        first, previous, request, signature = (
            fields.get(name, "") for name in (_FIRST, _PREVIOUS, _REQUEST, _SIGNATURE)
        )
        if not any((first, previous, request, signature)):
            return None
        if not _NUMBER.fullmatch(first):
            raise BeginningError(f"{_FIRST}: {first[:80]!r} is no sequence number")
        if previous and not _DIGEST.fullmatch(previous):
            raise BeginningError(f"{_PREVIOUS}: {previous[:80]!r} is no SHA-256 in hexadecimal")
        if not _DIGEST.fullmatch(request):
            raise BeginningError(f"{_REQUEST}: {request[:80]!r} is no SHA-256 in hexadecimal")
        return cls(Beginning(int(first), bytes.fromhex(previous)), bytes.fromhex(request), _decoded(signature))


def _decoded(signature: str) -> bytes:
    try:
        decoded = base64.b64decode(signature, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != event_key.SIGNATURE_SIZE:
        raise BeginningError(f"{_SIGNATURE}: {signature[:100]!r} is not the {event_key.SIGNATURE_SIZE} bytes of one")
    return decoded


def _content(host: str, request: bytes, beginning: Beginning) -> bytes:
    lines = (host, request.hex(), str(beginning.first), beginning.previous.hex())
    return "".join(f"{line}\n" for line in lines).encode()

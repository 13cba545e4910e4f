"""Who somebody is: SPIFFE ids, identity files, keys and certificate requests.

An id is `spiffe://DOMAIN/ROLE/NAME` (https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md), carried as
the one URI of a certificate's subject alternative name. The controller's id is `spiffe://DOMAIN/controller`.
An identity file is one PEM bundle: private key (ECDSA P-256, PKCS#8), leaf certificate, certificate of the authority;
in a host's there may follow a second leaf of the same key, the one it recovers by. A person's key may be encrypted with
a passphrase.
"""

import os
import re
import tempfile
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

#: The controller's certificate carries this DNS name in every deployment, whatever address it is reached by. No other
#: certificate of the authority does, so that an enrolled host cannot pose as the controller.
SERVER_NAME = "controller.landfast.internal"

#: A certificate is valid from this long before it was issued: clocks of other machines may be late.
CLOCK_SKEW = timedelta(minutes=5)

_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n.*?-----END \1-----\n?", re.DOTALL)
_KEY_LABELS = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
_CERTIFICATES = (2, 3)  # how many of them follow
ROOT_LABEL = "LANDFAST ROOT"  # of what a token carries besides: see landfast.trust.anchor


class IdentityError(ValueError):
    """A name, an id or an identity file that cannot be what it should be. Says which, where and what to do."""


class Role(StrEnum):
    """What an identity may be. The values are the first path segment of the id."""

    AGENT = "agent"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ENROL = "enrol"
    RECOVER = "recover"
    CONTROLLER = "controller"


#: Roles that people and their programs hold.
PEOPLE = (Role.OPERATOR, Role.APPROVER, Role.AUDITOR)


@dataclass(frozen=True)
class SpiffeId:
    """`spiffe://domain/role/name`; the controller has no name."""

    domain: str
    role: Role
    name: str = ""

    def __str__(self) -> str:
        return f"spiffe://{self.domain}/{self.role}" + (f"/{self.name}" if self.name else "")

    @classmethod
    def parse(cls, uri: str) -> Self:
        """Raises IdentityError unless `uri` is exactly what `str` of an id gives."""
        scheme, _, rest = uri.partition("://")
        domain, _, path = rest.partition("/")
        role, _, name = path.partition("/")
        if scheme != "spiffe" or role not in list(Role) or (role == Role.CONTROLLER) != (name == ""):
            raise IdentityError(f"{uri!r} is not an identity of Landfast: spiffe://DOMAIN/ROLE/NAME is expected")
        return cls(check_domain(domain), Role(role), check_name(name) if name else "")


def check_domain(domain: str) -> str:
    """`domain` itself, or IdentityError when it is no SPIFFE trust domain."""
    if not _DOMAIN.fullmatch(domain):
        raise IdentityError(f"domain {domain!r}: use letters a-z, digits, '.', '-' and '_', at most 255 characters")
    return domain


def check_name(name: str) -> str:
    """`name` itself, or IdentityError when it cannot name a host or a person in an id."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise IdentityError(
            f"name {name!r}: use a-z, 0-9, '.' and '-', beginning and ending with a letter or a digit, at most 253"
        )
    return name


@dataclass(frozen=True, repr=False)
class Bundle:
    """An identity file's contents, PEM. It holds a private key: never log it.

    `recovery` is the certificate by which a host renews one that has expired; empty when there is none.
    """

    key: bytes
    certificate: bytes
    authority: bytes
    recovery: bytes = b""

    def __repr__(self) -> str:
        return "Bundle(...)"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises OSError, or IdentityError when the file is not a bundle."""
        text = path.read_text(encoding="ascii", errors="replace")
        blocks = list(_PEM.finditer(text))
        label, *others = [block[1] for block in blocks if block[1] != ROOT_LABEL] or [""]
        if label not in _KEY_LABELS or others not in [["CERTIFICATE"] * count for count in _CERTIFICATES]:
            raise IdentityError(
                f"{path} is not an identity file: a private key, a certificate and the authority's certificate "
                "(PEM, in this order) are expected; ask for a new one"
            )
        return cls(*(block[0].encode() for block in blocks if block[1] != ROOT_LABEL))

    @property
    def is_encrypted(self) -> bool:
        """Whether the key takes a passphrase; then the bundle is good for nothing before `opened`."""
        return b"ENCRYPTED" in self.key.partition(b"\n")[0]

    def opened(self, passphrase: str) -> Self:
        """With its key decrypted. Raises IdentityError when the passphrase is wrong."""
        from cryptography.hazmat.primitives import serialization

        try:
            key = serialization.load_pem_private_key(self.key, passphrase.encode())
        except ValueError:
            raise IdentityError("the passphrase is wrong; try again") from None
        return replace(self, key=_pem(key, serialization.NoEncryption()))

    def sealed(self, passphrase: str) -> Self:
        """With its key, which is not encrypted yet, encrypted."""
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(self.key, None)
        return replace(self, key=_pem(key, serialization.BestAvailableEncryption(passphrase.encode())))

    def write(self, path: Path) -> None:
        """Writes the file atomically, for its owner alone (mode 0600). Replaces what was there."""
        parts = (self.key, self.certificate, self.authority, self.recovery)
        write_private(path, b"".join(part.strip() + b"\n" for part in parts if part))


def write_private(path: Path, content: bytes) -> None:
    """Replaces `path` atomically and durably by a file that only its owner can read."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Makes renames in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_key() -> "ec.EllipticCurvePrivateKey":
    """A fresh ECDSA P-256 key."""
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: "PrivateKeyTypes") -> bytes:
    """The private key as PKCS#8 PEM, not encrypted."""
    from cryptography.hazmat.primitives import serialization

    return _pem(key, serialization.NoEncryption())


def _pem(key: "PrivateKeyTypes", protection: "serialization.KeySerializationEncryption") -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, protection)


def signing_request(key: "ec.EllipticCurvePrivateKey") -> bytes:
    """A PKCS#10 request (DER) for `key`. It names nobody: names are the controller's to give."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def spiffe_id_of(certificate: "x509.Certificate") -> SpiffeId:
    """The id in a certificate. Raises IdentityError when it has none, or more than one."""
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise IdentityError("the certificate has no subject alternative name, so no identity") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise IdentityError(f"the certificate has {len(uris)} URIs, an identity has exactly one")
    return SpiffeId.parse(uris[0])


def certificate_of(bundle: Bundle) -> "x509.Certificate":
    """The leaf certificate of a bundle."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(bundle.certificate)

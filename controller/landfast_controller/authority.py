"""The deployment's own certificate authority: one self-signed ECDSA P-256 certificate that signs every leaf.

A leaf names its holder by a SPIFFE id and nothing else; only the controller's own also carries host names. Certificates
of people, hosts and tokens are for clients, the controller's is for servers: none can stand in for the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from landfast.identity import CLOCK_SKEW, SERVER_NAME, Bundle, Role, SpiffeId, key_pem, new_key, write_private
from landfast_controller.errors import InvalidError, UnavailableError

AUTHORITY_LIFETIME = timedelta(days=3650)
SERVER_LIFETIME = timedelta(days=365)


@dataclass(frozen=True)
class Authority:
    """The key that makes identities. Whoever has it is everybody."""

    domain: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, domain: str) -> Self:
        key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Landfast authority of {domain}"[:64])])
        uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"spiffe://{domain}")])
        builder = _builder(key.public_key(), AUTHORITY_LIFETIME).subject_name(name).issuer_name(name)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        return cls(domain, key, builder.add_extension(uri, critical=False).sign(key, hashes.SHA256()))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Reads what `store` wrote. Raises UnavailableError when it is not there or does not fit together."""
        try:
            key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
            certificate = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
        except (OSError, ValueError) as error:
            raise UnavailableError(
                f"authority in {directory}: {error}; run `landfast-controller init` first"
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise UnavailableError(
                f"{directory}/ca.key is not the key of {directory}/ca.pem; restore both from one backup"
            )
        return cls(_domain(certificate), key, certificate)

    def store(self, directory: Path) -> None:
        write_private(directory / "ca.key", key_pem(self.key))
        write_private(directory / "ca.pem", self.pem)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, holder: SpiffeId, key: ec.EllipticCurvePublicKey, lifetime: timedelta) -> x509.Certificate:
        """A client's certificate. It never outlives the authority."""
        return self._sign(holder, key, lifetime, ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def issue_server(self, addresses: Sequence[str], lifetime: timedelta = SERVER_LIFETIME) -> Bundle:
        """A fresh key and certificate for the controller, reachable by `addresses` (DNS names and IP addresses)."""
        key = new_key()
        names = [_general_name(address) for address in dict.fromkeys((SERVER_NAME, *addresses))]
        holder = SpiffeId(self.domain, Role.CONTROLLER)
        leaf = self._sign(holder, key.public_key(), lifetime, ExtendedKeyUsageOID.SERVER_AUTH, names)
        return Bundle(key_pem(key), leaf.public_bytes(serialization.Encoding.PEM), self.pem)

    def _sign(
        self,
        holder: SpiffeId,
        key: ec.EllipticCurvePublicKey,
        lifetime: timedelta,
        usage: x509.ObjectIdentifier,
        names: list[x509.GeneralName],
    ) -> x509.Certificate:
        identity = x509.UniformResourceIdentifier(str(holder))
        lifetime = min(lifetime, self.certificate.not_valid_after_utc - datetime.now(UTC))
        builder = _builder(key, lifetime).subject_name(x509.Name([])).issuer_name(self.certificate.subject)
        builder = builder.add_extension(x509.SubjectAlternativeName([identity, *names]), critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(signer, critical=False)
        return builder.sign(self.key, hashes.SHA256())


def requested_key(request: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a PKCS#10 request (DER) whose signature proves that the sender holds the private one."""
    try:
        parsed = x509.load_der_x509_csr(request)
        proved, key = parsed.is_signature_valid, parsed.public_key()
    except (ValueError, InvalidSignature) as error:
        raise InvalidError(f"csr: not a PKCS#10 request in DER ({error}); make one with landfast.identity") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidError("csr: the key is not ECDSA P-256; make one with landfast.identity")
    if not proved:
        raise InvalidError("csr: its signature is wrong, so it does not prove who holds the key")
    return key


def server_addresses(certificate: x509.Certificate) -> list[str]:
    """DNS names and IP addresses of a server's certificate, as `issue_server` takes them."""
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return [*names.get_values_for_type(x509.DNSName), *map(str, addresses)]


def serial_of(certificate: x509.Certificate) -> str:
    """The serial number in hexadecimal digits: how the database names a certificate."""
    return f"{certificate.serial_number:x}"


def _builder(key: ec.EllipticCurvePublicKey, lifetime: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().public_key(key).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - CLOCK_SKEW).not_valid_after(now + lifetime)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _domain(certificate: x509.Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)[0].removeprefix("spiffe://")

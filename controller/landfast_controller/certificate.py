"""The server's own certificate: renewed by the authority, at start and while the server runs.

gRPC asks for it at each handshake, so that a renewed one is used without a restart.
"""

from datetime import UTC, datetime
from pathlib import Path

import grpc
import structlog

from landfast.identity import Bundle, IdentityError, certificate_of
from landfast_controller.authority import SERVER_LIFETIME, Authority, server_addresses
from landfast_controller.errors import UnavailableError

_log = structlog.get_logger()


class ServerCertificate:
    """The bundle in the file `path`, replaced when less than half of its life remains."""

    def __init__(self, path: Path, authority: Authority) -> None:
        self._path = path
        self._authority = authority
        try:
            self._use(Bundle.read(path))
        except (OSError, IdentityError) as error:
            raise UnavailableError(f"server certificate: {error}; restore it from a backup") from error

    def credentials(self) -> grpc.ServerCredentials:
        """mTLS always: a client without a certificate of the authority does not get in."""
        self._renew_if_due()
        # the published types leave out that the callback may give None
        return grpc.dynamic_ssl_server_credentials(self._configuration(), self._fetch, True)  # type: ignore[arg-type]

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by gRPC at each handshake, in a thread of its own. None: nothing has changed."""
        return self._configuration() if self._renew_if_due() else None

    def _renew_if_due(self) -> bool:
        due = self._expires - datetime.now(UTC) < SERVER_LIFETIME / 2
        if due:
            renewed = self._authority.issue_server(self._addresses)
            renewed.write(self._path)
            self._use(renewed)
            _log.info("server certificate renewed", path=str(self._path), expires=str(self._expires))
        return due

    def _use(self, bundle: Bundle) -> None:
        certificate = certificate_of(bundle)
        self._bundle = bundle
        self._addresses = server_addresses(certificate)
        self._expires = certificate.not_valid_after_utc

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        pair = (self._bundle.key, self._bundle.certificate)
        return grpc.ssl_server_certificate_configuration([pair], self._bundle.authority)

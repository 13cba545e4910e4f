"""A connection to the controller, as the person who has logged in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc

from landfast.channel import OPTIONS, credentials
from landfast.identity import Bundle, IdentityError, certificate_of, spiffe_id_of
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast.v1.fleet_pb2_grpc import FleetServiceStub, IdentityServiceStub
from landfast.v1.incident_pb2_grpc import IncidentServiceStub
from landfast.v1.policy_pb2_grpc import PolicyServiceStub
from landfast.v1.rollout_pb2_grpc import RolloutServiceStub
from landfast.v1.shadow_pb2_grpc import ShadowServiceStub
from landfast_cli import config, passphrases
from landfast_cli.config import Login
from landfast_cli.errors import BadInputError, CouldNotError
from landfast_cli.refusals import error_of

#: Seconds that a call may take.
TIMEOUT_S = 15.0

#: Seconds that a new policy may take: a very large one is compiled meanwhile.
PROPOSAL_TIMEOUT_S = 120.0


class Session:
    """The controller's services. `name` is who calls them."""

    def __init__(self, login: Login, name: str, channel: grpc.Channel) -> None:
        self.login = login
        self.name = name
        self.channel = channel
        self.policies = PolicyServiceStub(channel)
        self.rollouts = RolloutServiceStub(channel)
        self.fleet = FleetServiceStub(channel)
        self.identities = IdentityServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.incidents = IncidentServiceStub(channel)
        self.shadows = ShadowServiceStub(channel)


@contextmanager
def opened(login: Login) -> Iterator[Session]:
    """Turns failed calls in its body into errors for people."""
    bundle = _bundle(Path(login.identity).expanduser())
    with grpc.secure_channel(login.controller, credentials(bundle), OPTIONS) as channel:
        try:
            yield Session(login, spiffe_id_of(certificate_of(bundle)).name, channel)
        except grpc.RpcError as failure:
            raise error_of(failure, login.controller) from None


@contextmanager
def session() -> Iterator[Session]:
    """A session by the configuration of this command."""
    import click

    with opened(config.read(click.get_current_context().find_root().params["config"])) as current:
        yield current


def _bundle(path: Path) -> Bundle:
    """Reads an identity file. One that has expired is told here, since the handshake would only fail."""
    try:
        bundle = Bundle.read(path)
        expires = certificate_of(bundle).not_valid_after_utc
    except OSError as error:
        raise CouldNotError(f"identity {path}: {error.strerror}; name the right file with `landfast login`") from None
    except (IdentityError, ValueError) as error:
        raise BadInputError(f"identity {path}: {error}") from None
    if expires <= datetime.now(UTC):
        raise CouldNotError(
            f"identity {path}: it expired at {expires:%Y-%m-%d %H:%M} UTC; ask an approver for a new one"
        )
    return _opened(bundle, path)


def _opened(bundle: Bundle, path: Path) -> Bundle:
    if not bundle.is_encrypted:
        return bundle
    try:
        return bundle.opened(passphrases.given(f"passphrase of {path}"))
    except IdentityError as error:
        raise BadInputError(f"identity {path}: {error}") from None

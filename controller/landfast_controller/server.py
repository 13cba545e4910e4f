"""The server: everything put together, started and stopped."""

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from sqlalchemy.exc import SQLAlchemyError

from landfast.channel import MESSAGE_LIMIT
from landfast.identity import Role, SpiffeId
from landfast.v1 import agent_pb2, audit_pb2, fleet_pb2, incident_pb2, policy_pb2, rollout_pb2, shadow_pb2
from landfast.v1.agent_pb2_grpc import add_AgentServiceServicer_to_server
from landfast.v1.audit_pb2_grpc import add_AuditServiceServicer_to_server
from landfast.v1.fleet_pb2_grpc import add_FleetServiceServicer_to_server, add_IdentityServiceServicer_to_server
from landfast.v1.incident_pb2_grpc import add_IncidentServiceServicer_to_server
from landfast.v1.policy_pb2_grpc import add_PolicyServiceServicer_to_server
from landfast.v1.rollout_pb2_grpc import add_RolloutServiceServicer_to_server
from landfast.v1.shadow_pb2_grpc import add_ShadowServiceServicer_to_server
from landfast_controller import access
from landfast_controller.authority import Authority
from landfast_controller.beside import beside
from landfast_controller.certificate import ServerCertificate
from landfast_controller.config import Config
from landfast_controller.deployment import Deployment
from landfast_controller.errors import UnavailableError
from landfast_controller.exports import Exports
from landfast_controller.incidents.desk import Desk
from landfast_controller.incidents.watch import Watch
from landfast_controller.incidents.webhook import Webhook
from landfast_controller.ingest import Ingest
from landfast_controller.initialise import DATABASE, SERVER
from landfast_controller.offers import Offers
from landfast_controller.presence import Presence
from landfast_controller.proposals import Proposals
from landfast_controller.pruning.pruner import Pruner
from landfast_controller.publisher import Publisher
from landfast_controller.renewal import Lifetimes
from landfast_controller.reports import Reports
from landfast_controller.rollout.conductor import Conductor
from landfast_controller.rollout.placement import Placement
from landfast_controller.rollout.sight import Sight
from landfast_controller.roster import Roster
from landfast_controller.services.agent import AgentService
from landfast_controller.services.audit import AuditService
from landfast_controller.services.fleet import FleetService
from landfast_controller.services.identity import IdentityService
from landfast_controller.services.incident import IncidentService
from landfast_controller.services.policy import PolicyService
from landfast_controller.services.rollout import RolloutService
from landfast_controller.services.shadow import ShadowService
from landfast_controller.shadows import Shadows
from landfast_controller.store import Store
from landfast_controller.trust import Trust
from landfast_controller.witnesses.rounds import Rounds

_CONTRACT = (
    agent_pb2,
    policy_pb2,
    rollout_pb2,
    fleet_pb2,
    shadow_pb2,
    audit_pb2,
    incident_pb2,
    health_pb2,
    reflection_pb2,
)

#: Open streams end by themselves only when their client goes; on a stop they get this long.
_GRACE_S = 0.5

#: Dead peers are noticed within 30 s; clients may probe us as often as `landfast.channel.OPTIONS` says.
OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 3_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
]

_log = structlog.get_logger()


def services() -> list[ServiceDescriptor]:
    """Everything that is served."""
    return [service for module in _CONTRACT for service in module.DESCRIPTOR.services_by_name.values()]


def methods() -> list[str]:
    """The methods of all services, as gRPC names them."""
    return [f"/{service.full_name}/{method.name}" for service in services() for method in service.methods]


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[int]:
    """Serves while the body runs; gives the port. Raises UnavailableError without the directory or the address."""
    with _only_one(config.directory):
        authority = Authority.load(config.directory)
        credentials = ServerCertificate(config.directory / SERVER, authority).credentials()
        store = await Store.open(config.directory / DATABASE)
        try:
            with _database_works(config.directory / DATABASE):
                deployment = await _deployment(store, authority, config)
            async with _serving(deployment, credentials, config.listen) as port:
                yield port
        finally:
            await store.close()


@asynccontextmanager
async def _serving(deployment: Deployment, credentials: grpc.ServerCredentials, listen: str) -> AsyncIterator[int]:
    server = grpc.aio.server(interceptors=[access.Gate(deployment.roster)], options=OPTIONS)
    _add_services(server, deployment)
    port = _bind(server, listen, credentials)
    async with (
        beside(deployment.ingest.run()),
        beside(deployment.reports.run()),
        beside(deployment.roster.watch()),
        beside(deployment.conductor.run()),
        beside(deployment.publisher.run()),
        beside(deployment.watch.run()),
        beside(deployment.webhook.run()),
        beside(deployment.pruner.run()),
        beside(deployment.rounds.run()),
    ):
        await server.start()
        _log.info("serving", address=listen, port=port, domain=deployment.authority.domain)
        try:
            yield port
        finally:
            await server.stop(_GRACE_S)
    _log.info("stopped")


async def _deployment(store: Store, authority: Authority, config: Config) -> Deployment:
    """Reads back what is kept in memory, and publishes what was stored when the last server ended."""
    roster, presence, shadows = Roster(), Presence(), Shadows(store)
    async with store.reading() as connection:
        await roster.load(connection)
        placement = await Placement.load(store, connection)
        trust = await Trust.load(connection, config.directory)
        await shadows.load(connection)
        exports = await Exports.load(store, connection)
    myself, sight = SpiffeId(authority.domain, Role.CONTROLLER), Sight(presence, config.rollout.limits)
    conductor = Conductor(store, placement, sight, myself)
    publisher = await Publisher.open(store, config.directory, authority.domain)
    await publisher.catch_up()
    return Deployment(
        store=store,
        authority=authority,
        lifetimes=Lifetimes(config.agent_lifetime, config.renew_expired_within),
        roster=roster,
        trust=trust,
        placement=placement,
        offers=Offers(store, placement, trust),
        presence=presence,
        proposals=Proposals(store, placement, conductor, trust, config.rollout.stages),
        conductor=conductor,
        ingest=Ingest(store),
        reports=Reports(store),
        shadows=shadows,
        publisher=publisher,
        desk=Desk(store),
        watch=Watch(store, presence, config.incidents, myself),
        webhook=Webhook(store, config.incidents.webhook, authority.domain),
        pruner=Pruner(store, publisher, config.log.keep, myself),
        exports=exports,
        rounds=await Rounds.open(
            store, publisher, config.witnesses, config.incidents.silent_after.total_seconds(), myself
        ),
    )


def _add_services(server: grpc.aio.Server, deployment: Deployment) -> None:
    access.check_complete(methods())
    add_AgentServiceServicer_to_server(AgentService(deployment), server)
    add_PolicyServiceServicer_to_server(PolicyService(deployment), server)
    add_RolloutServiceServicer_to_server(RolloutService(deployment), server)
    add_FleetServiceServicer_to_server(FleetService(deployment), server)
    add_IdentityServiceServicer_to_server(IdentityService(deployment), server)
    add_ShadowServiceServicer_to_server(ShadowService(deployment), server)
    add_AuditServiceServicer_to_server(AuditService(deployment), server)
    add_IncidentServiceServicer_to_server(IncidentService(deployment), server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    reflection.enable_server_reflection([service.full_name for service in services()], server)


def _bind(server: grpc.aio.Server, listen: str, credentials: grpc.ServerCredentials) -> int:
    try:
        return server.add_secure_port(listen, credentials)
    except RuntimeError as error:
        raise UnavailableError(
            f"address {listen}: {error}; choose a free one (listen in the configuration, or --listen)"
        ) from None


@contextmanager
def _database_works(path: Path) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise UnavailableError(
            f"database {path}: {error}; make room, or mend the file system, and start again"
        ) from None


@contextmanager
def _only_one(directory: Path) -> Iterator[None]:
    """Holds the directory: what the server keeps in memory is true only while nobody else writes the database."""
    try:
        lock = (directory / "lock").open("a")
    except OSError as error:
        raise UnavailableError(
            f"{directory}: {error.strerror}; run `landfast-controller init --dir {directory}`"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnavailableError(f"{directory}: another controller serves it; stop that one first") from None
        yield

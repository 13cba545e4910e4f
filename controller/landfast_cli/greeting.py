"""Whether the controller is there and takes us: the health service, which is open to every valid identity."""

from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from landfast_cli.session import TIMEOUT_S, Session


def greet(session: Session) -> None:
    """Raises an RpcError when it does not."""
    HealthStub(session.channel).Check(HealthCheckRequest(), timeout=TIMEOUT_S)

"""What the controller's log holds of a host."""

from landfast import batch as batches
from landfast.event import Event
from landfast.v1.audit_pb2 import SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from tests.e2e.controller.deployment import Deployment


async def logged(deployment: Deployment, host: str) -> list[bytes]:
    """The host's batches in the controller's log, checked for order."""
    auditor = await deployment.identity("auditor")
    async with deployment.channel(auditor) as channel:
        stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0, hosts=[host]))
        found = [response.batch async for response in stream if response.batch]
    last, previous = 0, b""
    for data in found:
        batches.check_follows(batches.decode(data), last, previous)
        last, previous = batches.decode(data).last, batches.digest(data)
    return found


def cookies(found: list[bytes]) -> list[int]:
    return [item.cookie for data in found for _, item in batches.decode(data) if isinstance(item, Event)]

"""What the controller's log holds of a host."""

from landfast import batch as batches
from landfast.audit.findings import Verdict
from landfast.audit.review import Expected, Review
from landfast.batch import BatchView
from landfast.beginning import Beginning, Statement
from landfast.event import Event
from landfast.tlog.bundle import Entry, Kind
from landfast.v1.audit_pb2 import ControlAction, SubscribeRequest, SubscribeResponse
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


async def audited(deployment: Deployment, host: str, key: bytes) -> tuple[list[bytes], list[Beginning]]:
    """The host's batches, and where it has said at each enrolment that it begins, as the log has them.

    An auditor to whom the event key is known finds nothing wrong with it, and has nothing to remark.
    """
    review = Review(Verdict(), Expected({host: frozenset({key})}, 3600))
    found: list[bytes] = []
    said: list[Beginning] = []
    for entry in await _entries(deployment):
        kind, content = (Kind.BATCH, entry.batch) if entry.batch else (Kind.CONTROL, entry.control)
        taken = review.take(entry.index, Entry(kind, entry.received.ToNanoseconds(), content).encode())
        assert taken
        if isinstance(taken.content, BatchView):
            found += [content] if taken.content.host == host else []
        elif (taken.content.kind, taken.content.subject) == (ControlAction.KIND_HOST_ENROLLED, host):
            statement = Statement.read(taken.content.fields)
            assert statement
            said.append(statement.beginning)
    review.end()
    findings = [*review.integrity.findings, *review.completeness.findings]
    assert [each for each in findings if each.host == host] == []
    assert host not in [each.name for each in review.unstated]
    return found, said


async def _entries(deployment: Deployment) -> list[SubscribeResponse]:
    auditor = await deployment.identity("auditor")
    async with deployment.channel(auditor) as channel:
        stream = AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0))
        return [response async for response in stream if response.WhichOneof("entry") != "progress"]


def cookies(found: list[bytes]) -> list[int]:
    return [item.cookie for data in found for _, item in batches.decode(data) if isinstance(item, Event)]

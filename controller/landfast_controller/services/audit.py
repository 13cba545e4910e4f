"""AuditService: the log, followed from an index, a time or now."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from landfast.tlog.bundle import Kind
from landfast.v1.audit_pb2 import (
    AddCosignatureRequest,
    AddCosignatureResponse,
    GetLogKeyRequest,
    GetLogKeyResponse,
    ReadLogRequest,
    ReadLogResponse,
    SubscribeRequest,
    SubscribeResponse,
)
from landfast.v1.audit_pb2_grpc import AuditServiceServicer
from landfast_controller import matching, pages, resources
from landfast_controller.callers import Context, current_caller
from landfast_controller.deployment import Deployment
from landfast_controller.errors import OutOfRangeError
from landfast_controller.matching import Filter
from landfast_controller.pages import Entry, Page

#: What entries are read by, unlike hashes and checkpoints.
_BUNDLES = "tile/entries/"


@dataclass(frozen=True)
class AuditService(AuditServiceServicer):
    deployment: Deployment

    async def Subscribe(self, request: SubscribeRequest, context: Context) -> AsyncIterator[SubscribeResponse]:
        wanted = matching.requested(request)
        position = await self._start(request)
        await self.deployment.exports.note(current_caller(), position, "Subscribe")
        if request.WhichOneof("start") is None:
            position = self.deployment.store.head.index  # after the entry that tells of this reader
        if request.WhichOneof("start") != "from_index" and position:
            yield SubscribeResponse(index=position - 1, progress=True)
        while request.follow or position < self.deployment.store.head.index:
            head = await self.deployment.store.head.beyond(position)
            page = await self._page(position, head, request)
            for response in _responses(page, wanted):
                yield response
            position = page.next

    async def ReadLog(self, request: ReadLogRequest, context: Context) -> ReadLogResponse:
        content = await resources.read(self.deployment.store, request.path)
        if request.path.startswith(_BUNDLES):
            await self.deployment.exports.note(current_caller(), resources.parsed(request.path).begin, "ReadLog")
        return ReadLogResponse(content=content)

    async def GetLogKey(self, request: GetLogKeyRequest, context: Context) -> GetLogKeyResponse:
        return GetLogKeyResponse(verifier_key=str(self.deployment.publisher.key))

    async def AddCosignature(self, request: AddCosignatureRequest, context: Context) -> AddCosignatureResponse:
        await self.deployment.rounds.add(request.note)
        return AddCosignatureResponse()

    async def _page(self, position: int, head: int, request: SubscribeRequest) -> Page:
        return await pages.read(self.deployment.store, position, head, request.hosts)

    async def _start(self, request: SubscribeRequest) -> int:
        head = self.deployment.store.head.index
        match request.WhichOneof("start"):
            case "from_index":
                return _checked(request.from_index, head)
            case "from_time":
                async with self.deployment.store.reading() as connection:
                    first = await pages.first_since(connection, request.from_time.ToNanoseconds())
                return head if first is None else first
            case _:
                return head


def _checked(index: int, head: int) -> int:
    if index > head:
        raise OutOfRangeError(
            f"index {index}: the log holds 0 to {head - 1}; if you have seen more of it, this is not the log you know"
        )
    return index


def _responses(page: Page, wanted: Filter) -> list[SubscribeResponse]:
    """What is wanted of a page, and, when its end is not, how far it reached."""
    responses = [_response(entry) for entry in page.entries if _is_wanted(entry, wanted)]
    if not responses or responses[-1].index != page.next - 1:
        responses.append(SubscribeResponse(index=page.next - 1, progress=True))
    return responses


def _is_wanted(entry: Entry, wanted: Filter) -> bool:
    return entry.kind == Kind.CONTROL or wanted.matches(entry.content)


def _response(entry: Entry) -> SubscribeResponse:
    response = SubscribeResponse(index=entry.index)
    response.received.FromNanoseconds(entry.received_ns)
    if entry.kind == Kind.CONTROL:
        response.control = entry.content
    else:
        response.batch = entry.content
    return response

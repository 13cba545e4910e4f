"""A file of the log's contents is lost under a controller that serves: it says so, and goes on for everybody else."""

import asyncio

import grpc
import pytest
from grpc.aio import AioRpcError

from landfast.identity import Bundle
from landfast.tlog.tiles import ENTRIES, Tile
from landfast.v1.audit_pb2 import SubscribeRequest
from landfast.v1.audit_pb2_grpc import AuditServiceStub
from landfast_controller.store import LOG
from tests.e2e.controller.deployment import Deployment, code_of, details_of


async def _read(deployment: Deployment, auditor: Bundle) -> None:
    async with deployment.channel(auditor) as channel:
        async for _ in AuditServiceStub(channel).Subscribe(SubscribeRequest(from_index=0)):
            pass


async def test_what_is_lost_is_not_called_pruned_and_the_controller_serves_on(fresh: Deployment) -> None:
    made = fresh.copy()
    try:
        await asyncio.to_thread(made.start)
        auditor = await made.identity("auditor")
        await _read(made, auditor)
        (made.directory / LOG / Tile(ENTRIES, 0).path).rename(made.directory / "away")
        with pytest.raises(AioRpcError) as failure:
            await _read(made, auditor)
        assert code_of(failure) == grpc.StatusCode.UNAVAILABLE
        assert "tile/entries/000 is missing; restore database and entries from one backup" in details_of(failure)
        (made.directory / "away").rename(made.directory / LOG / Tile(ENTRIES, 0).path)
        await _read(made, auditor)
        assert made.program
        assert made.program.process.poll() is None
    finally:
        await asyncio.to_thread(made.remove)

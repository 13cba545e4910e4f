"""What of a batch people are shown."""

from landfast import batch
from landfast.v1.audit_pb2 import SubscribeResponse
from landfast.v1.batch_pb2 import NoticeKind
from landfast_cli import printing
from landfast_cli.matching import Filter
from tests.unit.recording import builders


def _shown(wanted: Filter) -> list[str]:
    beat = builders.notice("nothing to record", NoticeKind.NOTICE_KIND_HEARTBEAT)
    data = batch.encode(builders.batch([builders.record()], [builders.notice("agent started"), beat]))
    return list(printing.text(SubscribeResponse(batch=data), wanted))


def test_heartbeats_are_shown_only_to_who_asks() -> None:
    shown, asked = _shown(Filter()), _shown(Filter(heartbeats=True))
    assert [("curl" in line, "AGENT_STARTED" in line) for line in shown] == [(True, False), (False, True)]
    assert (asked[:2], "HEARTBEAT" in asked[2]) == (shown, True)

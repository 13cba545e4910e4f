"""What `landfast audit verify` tells beside the two verdicts."""

import pytest

from landfast.audit.review import Expected
from landfast.v1.audit_pb2 import ControlAction
from landfast_cli import verification
from tests.unit.audit.stories import Story
from tests.unit.report.month import Host
from tests.unit.tlog import naive


def _verified(story: Story) -> verification.Result:
    read = naive.reader(naive.published(story.entries))
    return verification.verify(read, naive.SIGNER.verifier, Expected(None, 60), lambda *_: None)


def test_hosts_that_have_a_policy_of_their_own_yet(capsys: pytest.CaptureFixture[str]) -> None:
    story, host = Story().enrol("hall-1"), Host("hall-1")
    story.control(ControlAction.KIND_POLICY_VERSION, "1", fields={"digest": "ab" * 32})
    story.batch(host.batch([bytes(128)], policy_version=7, policy_digest=b"\xcd" * 32))
    result = _verified(story)
    verification.show(result)
    assert "1 hosts have had no policy of the log yet, but one of their own: hall-1\n" in capsys.readouterr().out
    own = {"version": 7, "digest": "cd" * 32, "in_force": True}
    assert verification.document(result)["hosts"]["hall-1"]["own_policy"] == own
    story.batch(host.batch([bytes(128)], policy_version=1, policy_digest=b"\xab" * 32))
    result = _verified(story)
    verification.show(result)
    assert "of their own" not in capsys.readouterr().out
    assert verification.document(result)["hosts"]["hall-1"]["own_policy"] == own | {"in_force": False}


def test_when_the_newest_entry_was_stored(capsys: pytest.CaptureFixture[str]) -> None:
    result = _verified(Story().enrol("hall-1"))
    verification.show(result)
    assert "landfast.internal/log: 1 entries; the newest stored 2026-09-21 14:13:20 UTC; hosts: 1, events: 0\n" in (
        capsys.readouterr().out
    )
    assert verification.document(result)["newest"] == "2026-09-21 14:13:20"

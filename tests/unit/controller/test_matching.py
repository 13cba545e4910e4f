"""The controller sends a batch exactly when the CLI has something to show of it."""

import itertools
from ipaddress import IPv6Address

import pytest

from landfast import batch as batches
from landfast import event
from landfast.policy.addresses import parse_prefix
from landfast.v1.audit_pb2 import SubscribeRequest
from landfast.v1.batch_pb2 import Batch
from landfast.verdict import Stage
from landfast_cli import matching as cli
from landfast_controller import matching
from landfast_controller.errors import InvalidError
from tests.unit.recording.builders import batch, notice, record

_REMOTES = ("::", "::ffff:10.20.3.4", "::ffff:203.0.113.9", "2001:db8::9", "ffff:ffff::1")
_STAGES = (Stage.CREATE, Stage.CONNECT, Stage.EGRESS, Stage.DEVICE, Stage.SYSCALL, Stage.UNIX, Stage.FLOW)
_COMMANDS = (b"curl", b"a-rather-long-n", b"")
_PREFIXES = ("0.0.0.0/0", "10.20.0.0/16", "203.0.113.9", "::/0", "::", "2001:db8::/32", "2001:db8::8/125", "8000::/1")
_NAMES = ("curl", "a-rather-long-name", "wget")


def _sealed(*records: bytes) -> bytes:
    made: Batch = batch(records)
    return batches.encode(made)


@pytest.mark.parametrize(
    "asked", [*({"destinations": [each]} for each in _PREFIXES), *({"processes": [each]} for each in _NAMES)], ids=str
)
def test_controller_and_cli_agree(asked: dict[str, list[str]]) -> None:
    wanted = matching.requested(SubscribeRequest(**asked))
    prefixes = tuple(map(parse_prefix, asked.get("destinations", ())))
    shown = cli.Filter(destinations=prefixes, processes=frozenset(map(event.comm, asked.get("processes", ()))))
    answers = set()
    for remote, stage, command in itertools.product(_REMOTES, _STAGES, _COMMANDS):
        sealed = _sealed(record(remote=IPv6Address(remote).packed, stage=stage, comm=command))
        answer = any(True for _ in shown.of(batches.decode(sealed)))
        assert wanted.matches(sealed) == answer, (remote, stage, command)
        answers.add(answer)
    assert answers == ({False} if "wget" in str(asked) else {False, True})


def test_all_that_is_asked_must_hold_for_one_event() -> None:
    asked = matching.requested(SubscribeRequest(destinations=["203.0.113.9"], processes=["rsync"]))
    elsewhere = record(comm=b"rsync", remote=IPv6Address("::ffff:10.0.0.1").packed)
    assert not asked.matches(_sealed(record(), elsewhere))
    assert asked.matches(_sealed(elsewhere, record(comm=b"rsync")))
    assert not asked.matches(batches.encode(batch(notices=[notice()])))


def test_what_cannot_be_asked() -> None:
    with pytest.raises(InvalidError, match="is no CIDR prefix"):
        matching.requested(SubscribeRequest(destinations=["everywhere"]))
    with pytest.raises(InvalidError, match="at most 100"):
        matching.requested(SubscribeRequest(processes=["p"] * 101))

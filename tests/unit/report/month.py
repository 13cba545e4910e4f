"""The log of a fleet in October 2026, with the days around it."""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from landfast import batch, event, event_key
from landfast.event import packed
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import Batch, Notice, NoticeKind, Process, RuleName
from landfast.verdict import Reason, Stage, Verdict
from tests.testbed.event_keys import public, signer
from tests.unit.audit.stories import Story

NS, HOUR_NS = 10**9, 3600 * 10**9

ALICE, BOB, CONTROLLER = (
    f"spiffe://landfast.internal/{name}" for name in ("operator/alice", "approver/bob", "controller")
)

_BOOT = "5a1b7c9e-0f43-4a57-9d0e-3f1f6f3b2a11"
_RULE = "eea-user-data allow 10.20.0.0/16 tcp/443: replication to the second Dublin hall"


def at(text: str) -> int:
    """Nanoseconds since 1970 of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


def record(time_ns: int, remote: str = "10.20.3.7", **fields: Any) -> bytes:
    """An allowed connection of a process that carries the class of bit 0, at a time of day."""
    usual = {
        "time_ns": time_ns,
        "tags": 1,
        "image": 77,
        "tgid": 4711,
        "version": 3,
        "rule": 1,
        "stage": Stage.CONNECT,
        "verdict": Verdict.ALLOW,
        "reason": Reason.RULE,
        "protocol": 6,
        "family": 2,
        "type": 1,
        "remote_port": 443,
        "comm": b"ingest",
        "remote": packed(ip_address(remote)),
    }
    return event.pack(**(usual | fields))


def denied(time_ns: int, remote: str = "203.0.113.9", **fields: Any) -> bytes:
    usual = {"verdict": Verdict.DENY, "reason": Reason.NO_RULE, "rule": 0, "tgid": 4712, "comm": b"curl"}
    return record(time_ns, remote, **(usual | fields))


def notice(time_ns: int, kind: NoticeKind.ValueType, text: str, **fields: str) -> Notice:
    return Notice(time_ns=time_ns, kind=kind, text=text, fields=fields)


class Host:
    """Makes the batches of a host; times of records are those of the calendar."""

    def __init__(self, name: str) -> None:
        self.name, self.next, self.previous = name, 1, b""

    def batch(self, records: Iterable[bytes] = (), notices: Iterable[Notice] = (), **fields: Any) -> bytes:
        records, notices = list(records), list(notices)
        usual = {
            "host": self.name,
            "boot_id": _BOOT,
            "first_sequence": self.next,
            "record_size": event.SIZE,
            "records": b"".join(records),
            "notices": notices,
            "classes": {0: "eea-user-data", 1: "payments"},
            "rules": [RuleName(version=3, rule=1, text=_RULE)],
            "processes": [
                Process(tgid=4711, image=77, executable="/opt/ingest/bin/ingest", unit="feed-ingest.service"),
                Process(tgid=4712, image=77, executable="/usr/bin/curl"),
                Process(tgid=4713, image=77, executable="/usr/bin/python3", canary=True),
            ],
        }
        body = Batch(**(usual | fields))
        data = batch.seal(batch.encode(body), self.previous, signer(self.name))
        self.next, self.previous = self.next + batch.size(body), batch.digest(data)
        return data


def act(story: Story, kind: str, subject: str, actor: str = CONTROLLER, text: str = "", **fields: str) -> None:
    story.control(getattr(ControlAction, f"KIND_{kind}"), subject, actor=actor, text=text, fields=fields)


def enrol(story: Story, host: str, actor: str = CONTROLLER, text: str = "") -> None:
    act(story, "HOST_ENROLLED", host, actor, text, event_key=event_key.text(public(host)))


def flow(time_ns: int, bytes_out: int, bytes_in: int, **fields: Any) -> bytes:
    """What a connection of `record` has sent and received."""
    amounts = {"comm": struct.pack("=QQ", bytes_out, bytes_in), "detail": 1, "tid": 3, "ifindex": 2}
    return record(time_ns, stage=Stage.FLOW, **(amounts | fields))

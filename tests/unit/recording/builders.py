"""Batches and records for tests, with every field telling which one it is."""

import struct
from ipaddress import IPv6Address

from landfast import event
from landfast.v1.batch_pb2 import Batch, Notice, NoticeKind, Process
from landfast.verdict import Reason, Stage, Verdict

BOOT = "0c5b4f0e-5d0a-4f0e-9d38-6d4c8a1f2b3c"


def record(verdict=Verdict.ALLOW, **fields):
    """A kernel record of curl[4711] to 203.0.113.9:443/tcp."""
    usual = {
        "time_ns": 1_000_000_000,
        "tags": 1,
        "image": 77,
        "tgid": 4711,
        "tid": 4711,
        "uid": 1000,
        "version": 7,
        "rule": 3,
        "stage": Stage.CONNECT,
        "verdict": verdict,
        "reason": Reason.RULE,
        "protocol": 6,
        "family": 2,
        "type": 1,
        "remote_port": 443,
        "comm": b"curl",
        "remote": IPv6Address("::ffff:203.0.113.9").packed,
    }
    return event.pack(**(usual | fields))


def flow(bytes_out, bytes_in, **fields):
    """A record of what it has sent and received in three seconds."""
    counted = {"comm": struct.pack("=QQ", bytes_out, bytes_in), "tid": 5, "ifindex": 4, "detail": 1_000_000_000}
    return record(stage=Stage.FLOW, time_ns=4_000_000_000, **(counted | fields))


def notice(text="ready", kind=NoticeKind.NOTICE_KIND_AGENT_STARTED, time_ns=5):
    return Notice(time_ns=time_ns, kind=kind, text=text)


def batch(records=(), notices=(), **fields):
    usual = {
        "host": "hall-1",
        "boot_id": BOOT,
        "first_sequence": 1,
        "clock_offset_ns": 1_700_000_000_000_000_000,
        "record_size": event.SIZE,
        "records": b"".join(records),
        "notices": list(notices),
        "processes": [Process(tgid=4711, image=77, comm="curl", executable="/usr/bin/curl", uid=1000, user="ada")],
        "classes": {0: "eea-user-data"},
    }
    return Batch(**(usual | fields))

"""Every kind of event, against the official schema of OCSF 1.8 with the profiles that each event names."""

import json
import struct
from functools import cache
from importlib.metadata import version
from ipaddress import IPv6Address

import pytest
from jsonschema import Draft202012Validator, ValidationError
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from landfast import batch as batches
from landfast.calls import CALL_LSM
from landfast.v1.audit_pb2 import ControlAction, SubscribeResponse
from landfast.v1.batch_pb2 import Listener, NoticeKind, Process
from landfast.verdict import LsmHook, Protocol, Reason, Stage, Verdict
from landfast_cli import printing
from landfast_cli.matching import Filter
from tests.unit.recording.builders import BOOT, batch, notice, record

DENIED = {"verdict": Verdict.DENY, "reason": Reason.NO_RULE, "rule": 0, "missing": 1}


@cache
def schema() -> OcsfJsonSchemaEmbedded:
    return OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))


@cache
def validator(class_uid: int, *profiles: str) -> Draft202012Validator:
    name = schema().lookup_class_name_from_uid(class_uid)
    return Draft202012Validator(schema().get_class_schema(name, list(profiles)))


def printed(*entries: SubscribeResponse) -> list[dict]:
    """What `--format ocsf` prints, each line held against the schema."""
    lines = [
        line for entry in entries for line in printing.PRINTERS["ocsf"](entry, Filter(canary=True, heartbeats=True))
    ]
    found = [json.loads(line) for line in lines]
    for event in found:
        validator(event["class_uid"], *event["metadata"]["profiles"]).validate(event)
    return found


def ocsf(*records: bytes, notices: tuple = (), **fields) -> list[dict]:
    entry = SubscribeResponse(index=41, batch=batches.encode(batch(records, notices, **fields)))
    entry.received.FromMilliseconds(1_700_000_002_500)
    return printed(entry)


def test_a_denied_connection() -> None:
    (event,) = ocsf(record(**DENIED))
    assert event == {
        "class_uid": 4001,
        "class_name": "Network Activity",
        "category_uid": 4,
        "activity_id": 1,
        "activity_name": "Open",
        "type_uid": 400101,
        "severity_id": 3,
        "severity": "Medium",
        "time": 1_700_000_001_000,
        "metadata": event["metadata"],
        "src_endpoint": {"hostname": "hall-1"},
        "dst_endpoint": {"ip": "203.0.113.9", "port": 443},
        "is_src_dst_assignment_known": True,
        "connection_info": {
            "direction_id": 2,
            "direction": "Outbound",
            "protocol_ver_id": 4,
            "protocol_name": "tcp",
            "protocol_num": 6,
        },
        "device": {"hostname": "hall-1", "type_id": 1, "type": "Server", "boot_uid": BOOT},
        "actor": {
            "process": {
                "pid": 4711,
                "tid": 4711,
                "uid": f"{BOOT}/4711/77",
                "name": "curl",
                "file": {"path": "/usr/bin/curl", "name": "curl", "type_id": 8, "type": "Executable File"},
                "user": {"uid": "1000", "name": "ada"},
            }
        },
        "action_id": 2,
        "action": "Denied",
        "disposition_id": 2,
        "disposition": "Blocked",
        "is_alert": True,
        "policy": {"name": "allowlist", "version": "7", "is_applied": True},
        "status_id": 2,
        "status": "Failure",
        "status_code": "NO_RULE",
        "unmapped": event["unmapped"],
    }
    assert event["metadata"] == {
        "version": "1.8.0",
        "profiles": ["host", "security_control"],
        "product": {"name": "Landfast", "vendor_name": "Landfast", "version": version("landfast")},
        "uid": "hall-1/1",
        "sequence": 1,
        "event_code": "NO_RULE",
        "logged_time": 1_700_000_002_500,
    }
    assert event["unmapped"]["index"] == 41
    assert event["unmapped"]["classes"] == event["unmapped"]["missing"] == ["eea-user-data"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonsense": 1},
        {"time": "now"},
        {"action_id": 77},
        {"dst_endpoint": {"ip": "hall-1"}},
        {"actor": {"process": {"name": "curl"}}},
    ],
    ids=str,
)
def test_the_schema_is_strict(wrong: dict) -> None:
    (event,) = ocsf(record(**DENIED))
    with pytest.raises(ValidationError):
        validator(4001, "host", "security_control").validate(event | wrong)
    with pytest.raises(ValidationError):
        validator(4001, "host").validate(event)


def test_outcomes() -> None:
    rules = [{"version": 7, "rule": 3, "text": "eea-user-data allow 203.0.113.0/24 tcp/443: backups"}]
    allowed, would, canary = ocsf(
        record(),
        record(**DENIED | {"verdict": Verdict.WOULD_DENY}),
        record(**DENIED, tgid=9),
        rules=rules,
        processes=[Process(tgid=9, image=77, canary=True)],
    )
    assert (allowed["action"], allowed["disposition"], allowed["is_alert"]) == ("Allowed", "Allowed", False)
    assert allowed["firewall_rule"] == {"uid": "7/3", "desc": rules[0]["text"]}
    assert (would["action"], would["disposition"], would["severity"]) == ("Observed", "Detected", "Low")
    assert would["policy"]["is_applied"] is False
    assert (canary["is_alert"], canary["severity"]) == (False, "Informational")


def test_who_serves_is_the_destination() -> None:
    (event,) = ocsf(record(reason=Reason.SERVE, flags=2, local_port=8443, rule=0, stage=Stage.EGRESS, ifindex=2))
    assert event["src_endpoint"] == {"ip": "203.0.113.9", "port": 443}
    assert event["dst_endpoint"] == {"hostname": "hall-1", "port": 8443, "interface_uid": "2"}
    assert event["connection_info"]["direction"] == "Inbound"
    assert event["is_src_dst_assignment_known"]


@pytest.mark.parametrize(
    ("fields", "info"),
    [
        ({"protocol": Protocol.ICMP, "remote_port": 0}, {"protocol_name": "icmp", "protocol_num": 1}),
        (
            {"protocol": Protocol.ICMP, "remote": IPv6Address("2001:db8::9").packed},
            {"protocol_name": "ipv6-icmp", "protocol_num": 58, "protocol_ver_id": 6},
        ),
        ({"protocol": 132, "stage": Stage.EGRESS}, {"protocol_num": 132}),
        ({"flags": 1, "stage": Stage.SENDMSG}, {"direction": "Local", "boundary_id": 1}),
    ],
)
def test_connections(fields: dict, info: dict) -> None:
    (event,) = ocsf(record(**DENIED | fields))
    assert info.items() <= event["connection_info"].items()


def test_a_flow_tells_how_much_and_in_which_interval() -> None:
    sums = struct.pack("=QQ", 2048, 17)
    (event,) = ocsf(record(stage=Stage.FLOW, comm=sums, tid=5, ifindex=4, detail=1_000_000, time_ns=3_001_000_000))
    assert (event["class_uid"], event["activity_name"]) == (4001, "Traffic")
    assert event["traffic"] == {
        "bytes_out": 2048, "bytes_in": 17, "packets_out": 5, "packets_in": 4, "bytes": 2065, "packets": 9,
    }  # fmt: skip
    assert event["duration"] == event["end_time"] - event["start_time"] == 3000


def test_refused_listeners_sockets_and_calls() -> None:
    remote = IPv6Address("::ffff:127.0.0.1").packed
    peer, unix, create, call, hook, frame = ocsf(
        record(**DENIED | {"reason": Reason.UNTAGGED_PEER}, remote=remote, flags=1),
        record(**DENIED, stage=Stage.UNIX, family=1, detail=5, remote=bytes(16), remote_port=0),
        record(**DENIED, stage=Stage.CREATE, family=17, protocol=3, remote=bytes(16)),
        record(**DENIED, stage=Stage.SYSCALL, detail=101, remote=bytes(16)),
        record(**DENIED, stage=Stage.SYSCALL, detail=CALL_LSM | LsmHook.BPF, remote=bytes(16)),
        record(**DENIED, stage=Stage.DEVICE, ifindex=3, remote=bytes(16), remote_port=0),
        listeners=[Listener(sender=4711, remote=remote, port=443, protocol=6, present=True, tgid=8, comm="redis")],
        unix_names={5: "/run/docker.sock"},
    )
    assert peer["unmapped"]["listener"]["name"] == "redis"
    assert unix["dst_endpoint"] == {"name": "unix:/run/docker.sock"}
    assert create["kernel"] == {"name": "socket", "type_id": 2, "type": "System Call"}
    assert (call["class_uid"], call["kernel"]["name"]) == (1003, "ptrace")
    assert hook["kernel"] == {"name": "lsm/bpf", "type_id": 99, "type": "LSM hook"}
    assert frame["src_endpoint"] == {"hostname": "hall-1", "interface_uid": "3"}


def test_tasks() -> None:
    task = {"stage": Stage.TASK, "verdict": 0, "rule": 0}
    known = Process(tgid=4711, image=77, comm="curl", parent=12, cgroup="/a/b", unit="web.service", container="c1")
    launched, tagged = ocsf(record(**task, reason=Reason.EXEC), record(**task, reason=Reason.CGROUP), processes=[known])
    assert (launched["activity_name"], launched["actor"]) == ("Launch", {"process": {"pid": 12}})
    assert launched["unmapped"]["process"] == {"cgroup": "/a/b", "unit": "web.service", "container": "c1"}
    assert (tagged["activity_id"], tagged["activity_name"]) == (99, "CGROUP")


def test_every_notice() -> None:
    kinds = [kind for kind in NoticeKind.values() if kind]
    events = ocsf(notices=tuple(notice(f"text {kind}", kind, time_ns=10**15) for kind in kinds))
    assert len(events) == len(kinds)
    by_code = {event["metadata"]["event_code"]: event for event in events}
    assert (by_code["CANARY_FAILED"]["class_uid"], by_code["CANARY_FAILED"]["severity"]) == (2004, "Critical")
    assert by_code["CANARY_FAILED"]["finding_info"]["uid"] == by_code["CANARY_FAILED"]["metadata"]["uid"]
    assert by_code["AGENT_STARTED"]["class_uid"] == 0


def test_every_control_action() -> None:
    kinds = [kind for kind in ControlAction.Kind.values() if kind]
    actions = [ControlAction(kind=kind, actor="spiffe://d/person/ada", text="x", subject="hall-1") for kind in kinds]
    entries = [SubscribeResponse(index=i, control=each.SerializeToString()) for i, each in enumerate(actions)]
    events = printed(*entries, SubscribeResponse(control=ControlAction(kind=kinds[0]).SerializeToString()))
    assert {event["class_uid"] for event in events} == {3004}
    assert events[0]["metadata"]["uid"] == "controller/0"
    assert events[0]["actor"] == {"user": {"uid": "spiffe://d/person/ada"}}
    assert [event["activity_name"] for event in events if event["metadata"]["event_code"] == "HOST_BANNED"] == [
        "Suspend"
    ]

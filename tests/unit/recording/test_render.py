import json
from ipaddress import IPv6Address

import pytest

from landfast import batch as batches
from landfast import render
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import Reason, Stage, Verdict
from tests.unit.recording.builders import batch, notice, record

RULE = {"version": 7, "rule": 3, "text": "eea-user-data allow 203.0.113.0/24 tcp/443: backups"}


def shown(*records, **fields):
    view = batches.decode(batches.encode(batch(records, **fields)))
    return [render.line(view, item) for _, item in view]


def documents(*records, **fields):
    view = batches.decode(batches.encode(batch(records, **fields)))
    return [render.document(view, sequence, item) for sequence, item in view]


def test_lines():
    denied = {"verdict": Verdict.DENY, "reason": Reason.NO_RULE, "rule": 0, "missing": 1}
    assert shown(
        record(),
        record(**denied),
        record(**denied, remote=IPv6Address("2001:db8::9").packed),
        record(reason=Reason.SERVE, flags=2, local_port=8443, rule=0),
        record(protocol=1, remote_port=0),
    ) == [
        "22:13:21.000 hall-1 ALLOW eea-user-data curl[4711] -> 203.0.113.9:443/tcp  RULE 3 policy 7",
        "22:13:21.000 hall-1 DENY  eea-user-data curl[4711] -> 203.0.113.9:443/tcp  NO_RULE policy 7",
        "22:13:21.000 hall-1 DENY  eea-user-data curl[4711] -> [2001:db8::9]:443/tcp  NO_RULE policy 7",
        "22:13:21.000 hall-1 ALLOW eea-user-data curl[4711]:8443 -> 203.0.113.9:443/tcp  SERVE policy 7",
        "22:13:21.000 hall-1 ALLOW eea-user-data curl[4711] -> 203.0.113.9/icmp  RULE 3 policy 7",
    ]


def test_a_refused_socket_and_an_execution():
    refused = {"stage": Stage.CREATE, "verdict": Verdict.DENY, "reason": Reason.FORBIDDEN_FAMILY, "rule": 0}
    assert shown(
        record(**refused, family=17, type=3, protocol=3),
        record(stage=Stage.TASK, verdict=0, reason=Reason.EXEC),
    ) == [
        "22:13:21.000 hall-1 DENY  eea-user-data curl[4711] socket(AF_PACKET, SOCK_RAW, 3)  FORBIDDEN_FAMILY policy 7",
        "22:13:21.000 hall-1 EXEC  eea-user-data curl[4711] /usr/bin/curl",
    ]


def test_a_packet_without_a_command_name_is_named_by_its_process():
    assert "curl[4711]" in shown(record(comm=b""))[0]
    assert "?[9]" in shown(record(comm=b"", tgid=9))[0]


def test_a_notice():
    view = batches.decode(batches.encode(batch(notices=[notice("away\x1b[2J", NoticeKind.NOTICE_KIND_GAP)])))
    ((_, item),) = view
    assert render.line(view, item) == "00:00:00.000 hall-1 GAP  away\\x1b[2J"
    assert render.day(view, item) == "1970-01-01"


def test_json_has_stable_names():
    (seen,) = documents(record(), rules=[RULE])
    assert seen == {
        "id": "hall-1/1",
        "time": "2023-11-14T22:13:21.000000Z",
        "host": "hall-1",
        "boot_id": "0c5b4f0e-5d0a-4f0e-9d38-6d4c8a1f2b3c",
        "kind": "decision",
        "verdict": "ALLOW",
        "reason": "RULE",
        "stage": "CONNECT",
        "classes": ["eea-user-data"],
        "missing": [],
        "remote": "203.0.113.9",
        "port": 443,
        "protocol": "tcp",
        "local_port": 0,
        "local": False,
        "serving": False,
        "policy_version": 7,
        "rule": {"number": 3, "text": RULE["text"]},
        "family": "AF_INET",
        "socket_type": "SOCK_STREAM",
        "socket": 0,
        "interface": 0,
        "canary": False,
        "process": {
            "pid": 4711,
            "tid": 4711,
            "uid": 1000,
            "parent": 0,
            "name": "curl",
            "started": 77,
            "executable": "/usr/bin/curl",
            "command_line": "",
            "user": "ada",
            "cgroup": "",
            "unit": "",
            "container": "",
        },
    }


def test_notices_and_unknown_numbers_are_json_too():
    strange = record(verdict=99, reason=98, stage=97, family=0, type=0, protocol=132, time_ns=2**64 - 1)
    seen, told = documents(strange, notices=[notice(kind=77)])
    assert (seen["verdict"], seen["reason"], seen["stage"], seen["protocol"]) == ("99", "98", "97", "132")
    assert (told["kind"], told["notice"], told["text"]) == ("notice", "77", "ready")
    assert json.loads(json.dumps([seen, told])) == [seen, told]


@pytest.mark.parametrize("text", ["a\nb", "\x1b]0;title\x07", chr(0x202E), "\x9b2J"])
def test_names_from_the_host_are_neutralised_everywhere(text):
    process = {"tgid": 4711, "image": 77, "comm": text, "executable": text, "command_line": text, "unit": text}
    fields = {"processes": [process], "classes": {0: text}, "rules": [{"version": 7, "rule": 3, "text": text}]}
    assert all(line.isprintable() for line in shown(record(comm=b""), **fields))
    (seen,) = documents(record(), **fields)
    assert all(value.isprintable() for value in seen["process"].values() if isinstance(value, str))
    assert seen["rule"]["text"].isprintable()

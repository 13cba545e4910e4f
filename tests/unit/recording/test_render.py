import json
import re
from ipaddress import IPv6Address

import pytest

from landfast import batch as batches
from landfast import calls, render
from landfast.v1.batch_pb2 import NoticeKind
from landfast.verdict import LsmHook, Reason, Stage, Verdict
from landfast_agent.image import source_directory
from tests.unit.recording.builders import batch, flow, notice, record

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


def test_flows():
    several = {"remote": bytes(16), "remote_port": 0}
    assert shown(flow(2048, 17), flow(5 << 30, 1023, **several)) == [
        "22:13:24.000 hall-1 ALLOW eea-user-data curl[4711] -> 203.0.113.9:443/tcp "
        " FLOW 2.0 KiB out, 17 bytes in, 3.0 s  RULE 3 policy 7",
        "22:13:24.000 hall-1 ALLOW eea-user-data curl[4711] -> several/tcp "
        " FLOW 5.0 GiB out, 1023 bytes in, 3.0 s  RULE 3 policy 7",
    ]
    (document,) = documents(flow(2048, 17))
    assert (document["kind"], document["stage"], document["verdict"]) == ("flow", "FLOW", "ALLOW")
    assert document["traffic"] == {
        "since": "2023-11-14T22:13:21.000000Z", "bytes_out": 2048, "bytes_in": 17, "packets_out": 5, "packets_in": 4,
    }  # fmt: skip
    assert document["process"]["name"] == "curl"
    assert (document["process"]["tid"], document["interface"]) == (0, 0)


def test_a_refused_socket_and_an_execution():
    refused = {"stage": Stage.CREATE, "verdict": Verdict.DENY, "reason": Reason.FORBIDDEN_FAMILY, "rule": 0}
    assert shown(
        record(**refused, family=17, type=3, protocol=3),
        record(stage=Stage.TASK, verdict=0, reason=Reason.EXEC),
    ) == [
        "22:13:21.000 hall-1 DENY  eea-user-data curl[4711] socket(AF_PACKET, SOCK_RAW, 3)  FORBIDDEN_FAMILY policy 7",
        "22:13:21.000 hall-1 EXEC  eea-user-data curl[4711] /usr/bin/curl",
    ]


FORBIDDEN = {"stage": Stage.SYSCALL, "verdict": Verdict.DENY, "reason": Reason.FORBIDDEN_CALL, "rule": 0, "family": 0}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"detail": 101}, "ptrace()"),
        ({"detail": 26 | calls.CALL_32BIT}, "ptrace/32bit()"),
        ({"detail": 999}, "999()"),
        ({"detail": 41, "family": 17}, "socket(AF_PACKET)"),
        ({"detail": calls.CALL_LSM | LsmHook.PTRACE_ACCESS_CHECK}, "lsm/ptrace_access_check()"),
        ({"detail": calls.CALL_LSM | LsmHook.SOCKET_CREATE, "family": 40}, "lsm/socket_create(AF_VSOCK)"),
        ({"detail": calls.CALL_LSM | 99}, "lsm/99()"),
        ({"reason": Reason.SOURCE_ROUTE}, "setsockopt()"),
    ],
)
def test_a_refused_call_is_named(fields, says):
    (line,) = shown(record(**FORBIDDEN | fields))
    assert f"curl[4711] {says}  " in line
    (seen,) = documents(record(**FORBIDDEN | fields))
    assert seen["call"] == says.partition("(")[0]


def test_every_call_that_the_guard_looks_at_has_its_name():
    guard = (source_directory() / "guard.c").read_text()
    _, table_64, table_32 = re.split(r"lf_action_(?:64|32)\(u32 number\)", guard)[:3]
    for table, names in ((table_64, calls.NAMES_64), (table_32.partition("\n}")[0], calls.NAMES_32)):
        cases = {(int(number), name) for number, name in re.findall(r"case (\d+): +/\* (\w+) \*/", table)}
        assert cases
        assert cases <= names.items()


@pytest.mark.parametrize(
    ("names", "says", "told"),
    [
        (
            {5: "/run/docker.sock"},
            "unix:/run/docker.sock  UNTAGGED_PEER policy 7  (name it under `peers`)",
            "/run/docker.sock",
        ),
        ({5: "@\x1b"}, "unix:@\\x1b  UNTAGGED_PEER policy 7  (name it under `peers`)", "@\\x1b"),
        ({6: "/another"}, "unix:?  UNTAGGED_PEER policy 7", None),
    ],
)
def test_a_refusal_names_the_unix_socket(names, says, told):
    refused = {"stage": Stage.UNIX, "protocol": 0, "remote_port": 0, "family": 1, "detail": 5}
    (line,) = shown(record(**REFUSED | refused), unix_names=names)
    assert line.partition("-> ")[2] == says
    (seen,) = documents(record(**REFUSED | refused), unix_names=names)
    assert seen["unix_name"] == told


REFUSED = {"verdict": Verdict.DENY, "reason": Reason.UNTAGGED_PEER, "rule": 0, "tags": 3, "missing": 3, "flags": 1}
LISTENER = {"sender": 4711, "remote": IPv6Address("::ffff:203.0.113.9").packed, "port": 443, "protocol": 6}
REDIS = LISTENER | {"present": True, "tgid": 812, "comm": "redis-server", "unit": "redis.service", "tags": 5}
CLASSES = {0: "eea-user-data", 1: "billing", 2: "ops"}


@pytest.mark.parametrize(
    ("listener", "says"),
    [
        (REDIS, "  (redis-server[812] of redis.service lacks billing: tag it, or name it under `peers`)"),
        (
            REDIS | {"unit": "", "tags": 0},
            "  (redis-server[812] lacks eea-user-data,billing: tag it, or name it under `peers`)",
        ),
        (
            REDIS | {"tags": 7, "unit": ""},
            "  (redis-server[812] carries every class, and `loopback: deny` refuses it: name it under `peers`)",
        ),
        (
            REDIS | {"tgid": 0, "comm": "", "unit": "", "tags": 1},
            "  (a socket that no process holds lacks billing: tag it, or name it under `peers`)",
        ),
        (LISTENER, "  (nobody listens there)"),
        (REDIS | {"port": 444}, ""),
        (REDIS | {"protocol": 17}, ""),
        (REDIS | {"sender": 4712}, ""),
    ],
)
def test_a_refusal_on_the_host_itself_names_the_listener(listener, says):
    (line,) = shown(record(**REFUSED), listeners=[listener], classes=CLASSES)
    assert line.partition("UNTAGGED_PEER policy 7")[2] == says
    assert shown(record(), listeners=[listener]) == shown(record())


def test_a_listener_in_json():
    (seen,) = documents(record(**REFUSED), listeners=[REDIS], classes=CLASSES)
    assert seen["listener"] == {
        "present": True,
        "pid": 812,
        "name": "redis-server",
        "unit": "redis.service",
        "classes": ["eea-user-data", "ops"],
        "lacks": ["billing"],
    }


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
        "call": None,
        "unix_name": None,
        "canary": False,
        "listener": None,
        "traffic": None,
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
    fields["listeners"] = [REDIS | {"comm": text, "unit": text}]
    assert all(line.isprintable() for line in shown(record(**REFUSED), **fields))
    assert documents(record(**REFUSED), **fields)[0]["listener"]["unit"].isprintable()
    assert all(line.isprintable() for line in shown(record(comm=b""), **fields))
    (seen,) = documents(record(), **fields)
    assert all(value.isprintable() for value in seen["process"].values() if isinstance(value, str))
    assert seen["rule"]["text"].isprintable()

import struct
from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest

from landfast import event
from landfast.verdict import Stage
from tests.unit.recording.builders import record


def test_a_record_has_128_bytes():
    assert event.SIZE == 128


def test_every_field_comes_back():
    numbers = {name: 100 + at for at, (name, code, _) in enumerate(event.FIELDS) if not code.endswith("s")}
    seen = event.read(event.pack(**numbers, comm=b"curl", remote=IPv6Address("2001:db8::9").packed))
    shared = set(numbers) & set(event.Event._fields)
    assert {name: getattr(seen, name) for name in shared} == {name: numbers[name] for name in shared}
    assert seen.comm == "curl"


def test_numpy_sees_the_same_fields():
    rows = np.frombuffer(record(tgid=5) + record(tgid=6, remote_port=8443), event.numpy_type())
    assert rows["tgid"].tolist() == [5, 6]
    assert rows["remote_port"].tolist() == [443, 8443]
    assert rows["comm"][0] == b"curl"
    assert event.numpy_type().itemsize == event.SIZE


def test_mapped_addresses_are_ipv4_and_others_stay():
    assert event.read(record()).remote == IPv4Address("203.0.113.9")
    assert event.read(record(remote=IPv6Address("2001:db8::1").packed)).remote == IPv6Address("2001:db8::1")


@pytest.mark.parametrize("stage", [Stage.CREATE, Stage.TASK, Stage.SYSCALL])
def test_stages_without_destination_have_none(stage):
    assert event.read(record(stage=stage, remote=bytes(16))).remote is None


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"a\x1b[31mb", "a\\x1b[31mb"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (chr(0x202E).encode(), "\\u202e"),
        (b"new\nline", "new\\nline"),
        (b"ends\0rest", "ends"),
        ("blå".encode(), "blå"),
    ],
)
def test_a_command_name_cannot_write_on_the_terminal(raw, shown):
    assert event.read(record(comm=raw)).comm == shown


def test_a_truncated_record_is_an_error():
    with pytest.raises(struct.error):
        event.read(record()[:-1])
    with pytest.raises(struct.error):
        list(event.read_all(record() + b"x"))

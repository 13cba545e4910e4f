"""Approved means loaded: one entry that is changed behind the agent's back changes the digest of the dump."""

import struct

import pytest

from landfast_agent import libbpf, slots
from tests.testbed.plane import Plane

POLICY = """
version: 1
data_classes:
  eu:
    select: [{unit: lft-feed.service}]
    allow:
      - {to: 10.20.0.0/16, ports: [tcp/443], reason: data centre}
      - {to: 10.30.0.0/16, ports: [any], reason: for a while, expires: 2999-01-01T00:00:00Z}
      - {to: 10.40.0.0/16, ports: [any], reason: for less long, expires: 2998-01-01T00:00:00Z}
"""


def _alter_trie(plane: Plane, name: str, slot: int) -> None:
    identity = libbpf.map_lookup(plane.maps.fd(name), slot.to_bytes(4, "little"), 4)
    assert identity is not None
    fd = libbpf.map_get_fd_by_id(int.from_bytes(identity, "little"))
    info = libbpf.map_info(fd)
    key, value = next(iter(libbpf.map_lookup_batch(fd, info.key_size, info.value_size, info.max_entries)))
    libbpf.map_update(fd, key, bytes([value[0] ^ 2]) + value[1:])


def _alter_array(plane: Plane, name: str, slot: int) -> None:
    fd = plane.maps.fd(name)
    info = libbpf.map_info(fd)
    per_slot = info.max_entries // 2
    for index in range(slot * per_slot, (slot + 1) * per_slot):
        key = index.to_bytes(4, "little")
        value = libbpf.map_lookup(fd, key, info.value_size) or b""
        if any(value):
            at = next(i for i in range(len(value)) if value[i])
            libbpf.map_update(fd, key, value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :])
            return
    pytest.fail(f"map {name} holds nothing to alter")


@pytest.mark.parametrize("name", ["dests", "ports", "timed_sets", "instants", "globs", "glob_rows", "glob_tags"])
def test_an_altered_entry_is_noticed(plane: Plane, name: str) -> None:
    approved = plane.apply(POLICY)
    alter = _alter_trie if name in ("dests", "ports") else _alter_array
    alter(plane, name, approved.generation % 2)
    found = slots.dump(plane.maps, plane.clock)
    assert found is not None
    assert found.digest != approved.digest


def test_an_altered_policy_mask_is_noticed(plane: Plane) -> None:
    """A class that is quietly put into audit mode."""
    approved = plane.apply(POLICY)
    fd, key = plane.maps.fd("policies"), (approved.generation % 2).to_bytes(4, "little")
    value = bytearray(libbpf.map_lookup(fd, key, libbpf.map_info(fd).value_size) or b"")
    struct.pack_into("=Q", value, 24, 1)
    libbpf.map_update(fd, key, bytes(value))
    found = slots.dump(plane.maps, plane.clock)
    assert found is not None
    assert plane.policy is not None
    assert found.digest != approved.digest
    assert (approved.enforced, approved.audited, found.enforced, found.audited) == (1, 0, 0, 1)
    assert slots.other_modes(plane.policy, approved) == ""
    assert slots.other_modes(plane.policy, found) == "; in audit mode: eu"


def test_an_altered_deadline_is_noticed(plane: Plane) -> None:
    """Deadlines since boot differ from host to host: they are held against the clock."""
    approved = plane.apply(POLICY)
    assert approved.deadlines_true
    fd, index = plane.maps.fd("instants"), approved.generation % 2 * 4096
    value = libbpf.map_lookup(fd, index.to_bytes(4, "little"), 16) or b""
    unix_s, boot_ns = struct.unpack("=QQ", value)
    libbpf.map_update(fd, index.to_bytes(4, "little"), struct.pack("=QQ", unix_s, boot_ns - 10_000_000_000))
    found = slots.dump(plane.maps, plane.clock)
    assert found is not None
    assert not found.deadlines_true


def test_a_slot_is_not_made_active_when_it_does_not_read_back(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel is real; the alteration happens between writing and reading back."""
    before = plane.apply(POLICY)
    fill = slots._fill_keyed

    def fill_and_alter(*arguments: object) -> None:
        fill(*arguments)  # type: ignore[arg-type]
        if arguments[1] == "ports":
            _alter_trie(plane, "dests", int(arguments[2]))  # type: ignore[call-overload]

    monkeypatch.setattr(slots, "_fill_keyed", fill_and_alter)
    with pytest.raises(Exception, match="not switched"):
        plane.apply(POLICY)
    monkeypatch.undo()
    now = slots.dump(plane.maps, plane.clock)
    assert now is not None
    assert (now.generation, now.digest) == (before.generation, before.digest)

"""Policies in the kernel: filling the slot that is not active, proving it, switching, and dumping what is loaded.

A slot is filled, dumped, and its digest compared with the policy's before one 64-bit store makes it active. The maps
of maps are replaced first: the kernel returns from that only when no program can still be reading the old slot, so
the arrays behind it can be rewritten.
"""

import os
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from landfast.policy.digest import digest_of
from landfast.policy.entries import Entries, Entry
from landfast.policy.layout import (
    DEST,
    DEST_KEY,
    GLOB,
    GLOB_ROW,
    GRANT,
    INSTANT,
    MASK,
    POLICY,
    PORT_KEY,
    TIMED_SET,
    UNIX_NAME,
    Layout,
)
from landfast.policy.model import Mode, Policy
from landfast.policy.tables import Tables
from landfast_agent import libbpf
from landfast_agent.clock import Clock
from landfast_agent.errors import Unavailable
from landfast_agent.layout import GLOB_TAGS
from landfast_agent.maps import Maps

_SLOTS = 2
_HASH, _LPM_TRIE, _NO_PREALLOC = 1, 11, 1
_KEYED: dict[str, tuple[int, Layout, Layout]] = {
    "dests": (_LPM_TRIE, DEST_KEY, DEST),
    "ports": (_LPM_TRIE, PORT_KEY, GRANT),
    "unix_peers": (_HASH, UNIX_NAME, GRANT),
}
_ARRAYS: dict[str, Layout] = {"timed_sets": TIMED_SET, "instants": INSTANT, "glob_rows": GLOB_ROW}
_BOOT_SLACK_NS = 2_000_000_000  # deadlines may differ by this much from the clock before they count as altered


@dataclass(frozen=True)
class Loaded:
    """What the kernel holds, read back. `digest` is over a full dump of the maps.

    `classes` are those of the policy; a class that is not among `audit` is enforced, whatever its file says.
    """

    generation: int
    version: int
    classes: int
    audit: int
    policy_digest: bytes
    digest: bytes
    deadlines_true: bool

    @property
    def audited(self) -> int:
        """Classes of which everything passes."""
        return self.classes & self.audit

    @property
    def enforced(self) -> int:
        return self.classes & ~self.audit


def other_modes(policy: Policy, loaded: Loaded) -> str:
    """Which classes are in another mode than `policy` has them in: `; in audit mode: eu`, empty when none is."""
    approved = sum(each.mask for each in policy.classes if each.mode == Mode.AUDIT)
    others = {Mode.AUDIT: loaded.audited & ~approved, Mode.ENFORCE: loaded.enforced & approved}
    return "".join(f"; in {mode} mode: {', '.join(policy.names(mask))}" for mode, mask in others.items() if mask)


def _index(number: int) -> bytes:
    return number.to_bytes(4, "little")


def _fill_keyed(maps: Maps, name: str, slot: int, entries: Entries) -> None:
    kind, key, value = _KEYED[name]
    fd = libbpf.map_create(
        kind,
        f"{name}{slot}",
        key_size=key.size,
        value_size=value.size,
        max_entries=max(len(entries), 1),
        flags=_NO_PREALLOC,
    )
    try:
        libbpf.map_update_batch(fd, entries)
        libbpf.map_update(maps.fd(name), _index(slot), struct.pack("=i", fd))
    finally:
        os.close(fd)


def _per_slot(maps: Maps, name: str) -> int:
    return libbpf.map_info(maps.fd(name)).max_entries // _SLOTS


def _fill_array(maps: Maps, name: str, slot: int, entries: Iterable[Entry]) -> None:
    """Writes the whole part of the slot: what the policy before the last one left there must not shine through."""
    size, count = _ARRAYS[name].size, _per_slot(maps, name)
    values = bytearray(size * count)
    for key, value in entries:
        at = int.from_bytes(key, "little") * size
        values[at : at + size] = value
    keys = b"".join(_index(slot * count + i) for i in range(count))
    libbpf.map_update_batch(maps.fd(name), Entries(count, keys, bytes(values)))


def _glob_tags(entries: Iterable[Entry]) -> bytes:
    tags = bytearray(GLOB_TAGS.size)
    for key, value in entries:
        at = int.from_bytes(key, "little") * 8
        tags[at : at + 8] = value
    return bytes(tags)


def _with_deadlines(entries: Iterable[Entry], clock: Clock) -> Iterator[Entry]:
    instants = ((key, INSTANT.unpack(value)[0]) for key, value in entries)
    return ((key, INSTANT.pack(unix_s, clock.boot_ns(unix_s))) for key, unix_s in instants)


def install(maps: Maps, tables: Tables, clock: Clock) -> Loaded:
    """Loads a policy and switches to it. Raises, with the active policy untouched, when the maps do not come out right.

    Takes about 3 microseconds per prefix.
    """
    generation = maps.control.get("generation") + 1
    slot = generation % _SLOTS
    with ThreadPoolExecutor(len(_KEYED)) as pool:  # each waits until no program reads the old one: all at once
        filling = pool.map(lambda name: _fill_keyed(maps, name, slot, getattr(tables, name)), _KEYED)
        expected = tables.digest
    deque(filling, 0)  # raises what has failed
    _fill_array(maps, "timed_sets", slot, tables.timed_sets)
    _fill_array(maps, "instants", slot, _with_deadlines(tables.instants, clock))
    _fill_array(maps, "glob_rows", slot, tables.glob_rows)
    libbpf.map_update(maps.fd("globs"), _index(slot), tables.glob)
    libbpf.map_update(maps.fd("glob_tags"), _index(slot), _glob_tags(tables.glob_tags))
    fixed = struct.pack("=Q", generation) + tables.policy[8:]
    libbpf.map_update(maps.fd("policies"), _index(slot), fixed)
    loaded = _dump(maps, generation, clock)
    if loaded.digest != expected:
        raise Unavailable(
            f"policy version {loaded.version}: the kernel maps read back differ from what was written "
            f"({loaded.digest.hex()[:16]}, expected {expected.hex()[:16]}): not switched; look at the kernel log"
        )
    maps.control.set("selecting", int(bool(tables.glob_tags)))
    for _, mask in tables.glob_tags:
        maps.control.add("tagged", int.from_bytes(mask, "little"))
    maps.control.set("generation", generation)
    return loaded


def _dump_keyed(maps: Maps, name: str, slot: int) -> Entries:
    _, key, value = _KEYED[name]
    map_id = libbpf.map_lookup(maps.fd(name), _index(slot), 4)
    if map_id is None:
        return Entries.of(())
    fd = libbpf.map_get_fd_by_id(int.from_bytes(map_id, "little"))
    try:
        return libbpf.map_lookup_batch(fd, key.size, value.size, libbpf.map_info(fd).max_entries)
    finally:
        os.close(fd)


def _dump_array(maps: Maps, name: str, slot: int) -> Entries:
    count, size = _per_slot(maps, name), _ARRAYS[name].size
    values = libbpf.map_lookup_batch(maps.fd(name), 4, size, count * _SLOTS).values
    return _not_zero(values[slot * count * size : (slot + 1) * count * size], size)


def _dump_glob_tags(maps: Maps, slot: int) -> Entries:
    return _not_zero(libbpf.map_lookup(maps.fd("glob_tags"), _index(slot), GLOB_TAGS.size) or b"", MASK.size)


def _not_zero(values: bytes, size: int) -> Entries:
    """The entries of an array that hold something, by index within `values`."""
    each, zero = (values[at : at + size] for at in range(0, len(values), size)), bytes(size)
    return Entries.of((_index(index), value) for index, value in enumerate(each) if value != zero)


def _deadlines_true(instants: Iterable[Entry], clock: Clock) -> bool:
    pairs = (INSTANT.unpack(value) for _, value in instants)
    return all(abs(boot_ns - clock.boot_ns(unix_s)) < _BOOT_SLACK_NS for unix_s, boot_ns in pairs)


def _fixed(maps: Maps, slot: int) -> bytes:
    return libbpf.map_lookup(maps.fd("policies"), _index(slot), POLICY.size) or bytes(POLICY.size)


def in_force(maps: Maps) -> tuple[int, bytes]:
    """Version and digest of the active policy, as its slot has them; 0 and nothing before the first."""
    generation = maps.control.get("generation")
    if not generation:
        return 0, b""
    _, version, *_, policy_digest, _ = POLICY.unpack(_fixed(maps, generation % _SLOTS))
    return version, policy_digest


def _dump(maps: Maps, generation: int, clock: Clock) -> Loaded:
    slot = generation % _SLOTS
    fixed = _fixed(maps, slot)
    glob = libbpf.map_lookup(maps.fd("globs"), _index(slot), GLOB.size) or bytes(GLOB.size)
    entries = {name: _dump_keyed(maps, name, slot) for name in _KEYED}
    entries |= {name: _dump_array(maps, name, slot) for name in _ARRAYS}
    entries["glob_tags"] = _dump_glob_tags(maps, slot)
    _, version, classes, audit, *_, policy_digest, _ = POLICY.unpack(fixed)
    return Loaded(
        generation,
        version,
        classes,
        audit,
        policy_digest,
        digest_of(entries, fixed, glob),
        _deadlines_true(entries["instants"], clock),
    )


def dump(maps: Maps, clock: Clock) -> Loaded | None:
    """What is active, read back in full; None before the first policy."""
    generation = maps.control.get("generation")
    return _dump(maps, generation, clock) if generation else None

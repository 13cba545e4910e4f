"""bpf(2) through libbpf.so.1, by ctypes: maps, programs, links and pins. No other module knows ctypes and BPF.

Every function takes and returns plain descriptors and bytes, and raises `KernelError` naming the object.
"""

import ctypes as c
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from landfast.policy.entries import Entries
from landfast_agent.errors import KernelError, Unavailable

_U32, _U64, _INT, _PTR, _CHARP, _SIZE = c.c_uint32, c.c_uint64, c.c_int, c.c_void_p, c.c_char_p, c.c_size_t

BPF_ANY = 0
BPF_NOEXIST = 1
BPF_F_LOCK = 4

# bpf(2) commands of which libbpf 1.1 has no convenient form
_ENOENT, _ENOSPC, _ENOMEM, _EFAULT = 2, 28, 12, 14


@cache
def lib() -> c.CDLL:
    """libbpf itself; for `btf`."""
    try:
        return c.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise Unavailable("libbpf.so.1 is missing: install it (Debian: apt-get install libbpf1)") from error


class _Options(c.Structure):
    """Beginning of every libbpf option struct: its own size."""

    def __init__(self, **fields: object) -> None:
        super().__init__(sz=c.sizeof(self), **fields)


class _MapCreateOptions(_Options):
    _fields_ = (
        ("sz", _SIZE),
        ("btf_fd", _U32),
        ("btf_key_type_id", _U32),
        ("btf_value_type_id", _U32),
        ("btf_vmlinux_value_type_id", _U32),
        ("inner_map_fd", _U32),
        ("map_flags", _U32),
        ("map_extra", _U64),
        ("numa_node", _U32),
        ("map_ifindex", _U32),
    )


class _ProgLoadOptions(_Options):
    _fields_ = (
        ("sz", _SIZE),
        ("attempts", _INT),
        ("expected_attach_type", _INT),
        ("prog_btf_fd", _U32),
        ("prog_flags", _U32),
        ("prog_ifindex", _U32),
        ("kern_version", _U32),
        ("attach_btf_id", _U32),
        ("attach_prog_fd", _U32),
        ("attach_btf_obj_fd", _U32),
        ("fd_array", _PTR),
        ("func_info", _PTR),
        ("func_info_cnt", _U32),
        ("func_info_rec_size", _U32),
        ("line_info", _PTR),
        ("line_info_cnt", _U32),
        ("line_info_rec_size", _U32),
        ("log_level", _U32),
        ("log_size", _U32),
        ("log_buf", _CHARP),
    )


class _BatchOptions(_Options):
    _fields_ = (("sz", _SIZE), ("elem_flags", _U64), ("flags", _U64))


class _LinkCreateOptions(_Options):
    _fields_ = (("sz", _SIZE), ("flags", _U32), ("pad", _U32))


class _MapInfo(c.Structure):
    """struct bpf_map_info of uapi/linux/bpf.h, as far as it is read here."""

    _fields_ = (
        ("type", _U32),
        ("id", _U32),
        ("key_size", _U32),
        ("value_size", _U32),
        ("max_entries", _U32),
        ("map_flags", _U32),
        ("name", c.c_char * 16),
        ("rest", c.c_char * 64),
    )


class _ProgInfo(c.Structure):
    """struct bpf_prog_info, as far as it is read here."""

    _fields_ = (("type", _U32), ("id", _U32), ("tag", c.c_uint8 * 8), ("rest", c.c_char * 240))


class _LinkInfo(c.Structure):
    """struct bpf_link_info; the union holds (cgroup id, attach type) for cgroup links, the index first for tcx."""

    _fields_ = (
        ("type", _U32),
        ("id", _U32),
        ("prog_id", _U32),
        ("pad", _U32),
        ("cgroup_id", _U64),
        ("attach_type", _U32),
        ("rest", c.c_char * 64),
    )


@dataclass(frozen=True)
class MapInfo:
    type: int
    id: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str


@dataclass(frozen=True)
class ProgInfo:
    type: int
    id: int
    tag: str


@dataclass(frozen=True)
class LinkInfo:
    type: int
    id: int
    prog_id: int
    cgroup_id: int
    attach_type: int

    @property
    def ifindex(self) -> int:
        """Of the network link that a tcx link hangs at; 0 when that is gone."""
        return self.cgroup_id & 0xFFFFFFFF


def _call(what: str, function: str, *args: object) -> int:
    result = int(getattr(lib(), function)(*args))
    if result < 0:
        raise KernelError(what, c.get_errno() or -result)
    return result


def obj_get(path: Path) -> int:
    """Descriptor of a pinned object."""
    return _call(f"open {path}", "bpf_obj_get", os.fsencode(path))


def obj_pin(fd: int, path: Path) -> None:
    _call(f"pin {path}", "bpf_obj_pin", fd, os.fsencode(path))


# maps


def map_create(
    kind: int,
    name: str,
    *,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    inner_fd: int = 0,
    btf: tuple[int, int, int] = (0, 0, 0),
) -> int:
    """A new map. `btf` is (descriptor, key type id, value type id)."""
    options = _MapCreateOptions(
        btf_fd=btf[0], btf_key_type_id=btf[1], btf_value_type_id=btf[2], inner_map_fd=inner_fd, map_flags=flags
    )
    return _call(
        f"create map {name} ({max_entries} entries)",
        "bpf_map_create",
        kind,
        name.encode()[:15],
        key_size,
        value_size,
        max_entries,
        c.byref(options),
    )


def map_lookup(fd: int, key: bytes, value_size: int, flags: int = 0) -> bytes | None:
    """The value of `key`, None when there is none. Per-CPU maps: 8-byte aligned values of all possible CPUs."""
    value = c.create_string_buffer(value_size)
    if lib().bpf_map_lookup_elem_flags(fd, key, value, _U64(flags)) == 0:
        return value.raw
    if c.get_errno() == _ENOENT:
        return None
    raise KernelError(f"look up in map {_name(fd)}", c.get_errno())


def map_update(fd: int, key: bytes, value: bytes, flags: int = BPF_ANY) -> None:
    if lib().bpf_map_update_elem(fd, key, value, _U64(flags)) != 0:
        raise KernelError(f"update map {_name(fd)}", c.get_errno())


def map_delete(fd: int, key: bytes) -> bool:
    """Whether `key` was there."""
    if lib().bpf_map_delete_elem(fd, key) == 0:
        return True
    if c.get_errno() == _ENOENT:
        return False
    raise KernelError(f"remove an entry of map {_name(fd)}", c.get_errno())


def map_keys(fd: int, key_size: int) -> Iterator[bytes]:
    """Every key, once; keys that come or go meanwhile may be missed or seen."""
    following = c.create_string_buffer(key_size)
    key: bytes | None = None
    while lib().bpf_map_get_next_key(fd, key, following) == 0:
        key = following.raw
        yield key
    if c.get_errno() != _ENOENT:
        raise KernelError(f"list map {_name(fd)}", c.get_errno())


def map_items(fd: int, key_size: int, value_size: int) -> Iterator[tuple[bytes, bytes]]:
    """Every entry, one system call each: for maps that have no batch operations, or few entries."""
    for key in list(map_keys(fd, key_size)):
        value = map_lookup(fd, key, value_size)
        if value is not None:
            yield key, value


def map_update_batch(fd: int, entries: Entries) -> None:
    """All entries at once. Resumes where a fresh trie returns ENOMEM after a few elements."""
    count = max(entries.count, 1)
    key_size, value_size = len(entries.keys) // count, len(entries.values) // count
    options, done, stalls = _BatchOptions(), 0, 0
    while done < entries.count:
        step = _U32(entries.count - done)
        keys, values = entries.keys[done * key_size :], entries.values[done * value_size :]
        status = lib().bpf_map_update_batch(fd, keys, values, c.byref(step), c.byref(options))
        done += step.value
        if status == 0:
            return
        stalls = 0 if step.value else stalls + 1
        if c.get_errno() != _ENOMEM or stalls > 100:
            raise KernelError(f"fill map {_name(fd)} (entry {done} of {entries.count})", c.get_errno())


def map_lookup_batch(fd: int, key_size: int, value_size: int, max_entries: int) -> Entries:
    """Every entry, in large steps."""
    size = max(min(max_entries, 65536), 1)
    keys, values = c.create_string_buffer(size * key_size), c.create_string_buffer(size * value_size)
    options, parts, cursor, errno = _BatchOptions(), [], None, 0
    while errno != _ENOENT:
        following, count = c.create_string_buffer(max(key_size, 8)), _U32(size)
        status = lib().bpf_map_lookup_batch(fd, cursor, following, keys, values, c.byref(count), c.byref(options))
        errno = c.get_errno() if status else 0
        if errno not in (0, _ENOENT):
            raise KernelError(f"dump map {_name(fd)}", errno)
        filled = c.string_at(keys, count.value * key_size), c.string_at(values, count.value * value_size)
        parts.append(Entries(count.value, *filled))
        cursor = following
    return Entries.joined(parts)


def map_get_fd_by_id(map_id: int) -> int:
    return _call(f"open map with id {map_id}", "bpf_map_get_fd_by_id", _U32(map_id))


def map_info(fd: int) -> MapInfo:
    info, size = _MapInfo(), _U32(c.sizeof(_MapInfo))
    _call("read map info", "bpf_obj_get_info_by_fd", fd, c.byref(info), c.byref(size))
    return MapInfo(
        info.type, info.id, info.key_size, info.value_size, info.max_entries, info.map_flags, info.name.decode()
    )


def _name(fd: int) -> str:
    try:
        return map_info(fd).name
    except KernelError:
        return f"at descriptor {fd}"


# programs and links


def prog_load(
    kind: int, name: str, instructions: bytes, *, licence: str, attach_type: int = 0, attach_btf_id: int = 0
) -> int:
    """Verifies and loads a program; a refusal carries the end of the verifier's log."""
    options = _ProgLoadOptions(expected_attach_type=attach_type, attach_btf_id=attach_btf_id)
    args = (kind, name.encode()[:15], licence.encode(), instructions, _SIZE(len(instructions) // 8))
    fd = int(lib().bpf_prog_load(*args, c.byref(options)))
    if fd >= 0:
        return fd
    log = c.create_string_buffer(1 << 24)
    options.log_level, options.log_size, options.log_buf = 1, len(log), c.cast(log, _CHARP)
    lib().bpf_prog_load(*args, c.byref(options))
    tail = "\n".join(log.value.decode(errors="replace").splitlines()[-25:])
    raise KernelError(f"load program {name}", c.get_errno() or -fd, tail)


def prog_info(fd: int) -> ProgInfo:
    info, size = _ProgInfo(), _U32(c.sizeof(_ProgInfo))
    _call("read program info", "bpf_obj_get_info_by_fd", fd, c.byref(info), c.byref(size))
    return ProgInfo(info.type, info.id, bytes(info.tag).hex())


def link_create(prog_fd: int, target: int, attach_type: int, flags: int = 0) -> int:
    """Descriptor of a new link. `target` is a descriptor, or the index of a network link."""
    options = _LinkCreateOptions(flags=flags)
    return _call("attach program", "bpf_link_create", prog_fd, target, attach_type, c.byref(options))


def raw_tracepoint_open(name: str, prog_fd: int) -> int:
    """Descriptor of a link to a raw tracepoint, or without a name to what the program was loaded for.

    It can be pinned, not updated.
    """
    return _call(f"attach to {name or 'LSM hook'}", "bpf_raw_tracepoint_open", name.encode() or None, prog_fd)


def link_update(link_fd: int, prog_fd: int) -> None:
    """Replaces the program of a link without a moment in between."""
    _call("replace program of link", "bpf_link_update", link_fd, prog_fd, None)


def link_info(fd: int) -> LinkInfo:
    info, size = _LinkInfo(), _U32(c.sizeof(_LinkInfo))
    _call("read link info", "bpf_obj_get_info_by_fd", fd, c.byref(info), c.byref(size))
    return LinkInfo(info.type, info.id, info.prog_id, info.cgroup_id, info.attach_type)


def possible_cpus() -> int:
    return _call("count CPUs", "libbpf_num_possible_cpus")


# BTF: only as much as a socket storage map with a spin lock needs


def btf_of_locked_struct(name: str, size: int) -> tuple[int, int, int]:
    """BTF of `int -> struct name {struct bpf_spin_lock lock; ...}`: (descriptor, key type id, value type id).

    The kernel demands BTF for socket storage, and finds the lock by its type's name.
    """
    so = lib()
    so.btf__new_empty.restype = _PTR
    btf = _PTR(so.btf__new_empty())
    integer = _call("BTF", "btf__add_int", btf, b"int", _SIZE(4), 1)
    word = _call("BTF", "btf__add_int", btf, b"unsigned int", _SIZE(4), 0)
    lock = _call("BTF", "btf__add_struct", btf, b"bpf_spin_lock", 4)
    _call("BTF", "btf__add_field", btf, b"val", word, 0, 0)
    value = _call("BTF", "btf__add_struct", btf, name.encode(), size)
    _call("BTF", "btf__add_field", btf, b"lock", lock, 0, 0)
    _call("load BTF", "btf__load_into_kernel", btf)
    return _call("BTF", "btf__fd", btf), integer, value

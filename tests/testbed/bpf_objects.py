"""Which BPF objects an instance has in the kernel, and which of them are still there: through libbpf, by number."""

import ctypes
import os
import struct
from functools import cache
from pathlib import Path

_BY_ID = {"maps": "bpf_map_get_fd_by_id", "programs": "bpf_prog_get_fd_by_id", "links": "bpf_link_get_fd_by_id"}
_INFO_SIZE = 256  # bytes; every bpf_*_info begins with u32 type, u32 id (linux/bpf.h)

_TYPE_AND_ID = struct.Struct("=II")


@cache
def _libbpf() -> ctypes.CDLL:
    return ctypes.CDLL("libbpf.so.1", use_errno=True)


def pinned(pins: Path) -> set[tuple[str, int]]:
    """(kind, id) of everything that is pinned below `pins`/maps, /programs and /links."""
    return {(kind, _id(path)) for kind in _BY_ID for path in sorted((pins / kind).glob("*"))}


def remaining(objects: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those that the kernel still has."""
    return {(kind, number) for kind, number in objects if _exists(kind, number)}


def _id(path: Path) -> int:
    fd = _libbpf().bpf_obj_get(os.fsencode(path))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))
    info, size = ctypes.create_string_buffer(_INFO_SIZE), ctypes.c_uint32(_INFO_SIZE)
    try:
        _libbpf().bpf_obj_get_info_by_fd(fd, info, ctypes.byref(size))
    finally:
        os.close(fd)
    return int(_TYPE_AND_ID.unpack_from(info)[1])


def _exists(kind: str, number: int) -> bool:
    fd = getattr(_libbpf(), _BY_ID[kind])(ctypes.c_uint32(number))
    if fd >= 0:
        os.close(fd)
    return bool(fd >= 0)


def identity(pin: Path) -> int:
    """The number of the object under a pin."""
    return _id(pin)


def detach(pin: Path) -> None:
    """Detaches a pinned link from its hook: the pin stays."""
    fd = _libbpf().bpf_obj_get(os.fsencode(pin))
    failed = _libbpf().bpf_link_detach(fd)
    os.close(fd)
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(pin))

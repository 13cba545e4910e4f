"""Attaching a program to a tracepoint by a link that can be pinned: perf_event_open(2) and BPF_LINK_CREATE."""

import ctypes as c
import os
import platform
from pathlib import Path

from landfast_agent import libbpf
from landfast_agent.errors import KernelError, Unavailable

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_TYPE_TRACEPOINT = 2
_FLAG_CLOEXEC = 8
_BPF_PERF_EVENT = 41  # enum bpf_attach_type
_ATTRIBUTE_SIZE = 128
_TRACEPOINT = 5  # enum bpf_prog_type
_RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")  # r0 = 0; exit
_TRACEFS = (Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/tracing"))


def tracefs() -> Path:
    for path in _TRACEFS:
        if (path / "events").is_dir():
            return path
    raise Unavailable("tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing")


def _event_id(tracepoint: str) -> int:
    path = tracefs() / "events" / tracepoint / "id"
    if not path.exists():
        raise Unavailable(f"this kernel has no tracepoint {tracepoint}: it needs CONFIG_TRACEPOINTS and BPF_EVENTS")
    return int(path.read_text())


def _open(tracepoint: str) -> int:
    attribute = bytearray(_ATTRIBUTE_SIZE)
    attribute[0:4] = _TYPE_TRACEPOINT.to_bytes(4, "little")
    attribute[4:8] = _ATTRIBUTE_SIZE.to_bytes(4, "little")
    attribute[8:16] = _event_id(tracepoint).to_bytes(8, "little")
    attribute[16:24] = (1).to_bytes(8, "little")  # sample_period
    libc = c.CDLL(None, use_errno=True)
    buffer = (c.c_char * _ATTRIBUTE_SIZE).from_buffer(attribute)
    number = _PERF_EVENT_OPEN[os.uname().machine]
    # Any CPU will do: the program runs wherever the tracepoint is hit.
    fd = int(libc.syscall(number, buffer, -1, 0, -1, _FLAG_CLOEXEC))
    if fd < 0:
        raise KernelError(f"open tracepoint {tracepoint}", c.get_errno())
    return fd


def link_tracepoint(tracepoint: str, prog_fd: int) -> int:
    """Descriptor of a link; the attachment lives as long as it, or its pin."""
    event = _open(tracepoint)
    try:
        return libbpf.link_create(prog_fd, event, _BPF_PERF_EVENT)
    finally:
        os.close(event)


def require_links() -> None:
    """Links a program that does nothing, and lets it go. Raises Unavailable on kernels that cannot: before 5.15."""
    program = libbpf.prog_load(_TRACEPOINT, "lf_probe", _RETURN_0, licence="Dual BSD/GPL")
    try:
        os.close(link_tracepoint("sched/sched_process_exit", program))
    except KernelError as error:
        raise Unavailable(
            f"Linux {platform.release()} cannot pin programs to tracepoints ({os.strerror(error.errno)}): "
            f"Landfast needs Linux 5.15 or later"
        ) from error
    finally:
        os.close(program)

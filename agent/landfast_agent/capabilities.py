"""Giving up the capabilities that undo enforcement, before a command is started. See capabilities(7).

What each would allow: net_raw packets that lie about where they go; net_admin other routes, neighbours and tunnels;
sys_admin and bpf detaching the programs; sys_module and sys_rawio the kernel itself; sys_ptrace other processes'
sockets and memory; sys_boot another kernel; mknod raw devices; perfmon kernel memory; sys_time a clock that stands
still, by which no rule expires; checkpoint_restore a process number of one's choice, which tags go by.

Left alone, since they undo nothing here or since ordinary programs of root need them: net_bind_service and sys_chroot
change no verdict, setpcap gives nothing beyond the bounding set, dac_override and its like are root's own identity,
which `landfast_agent.privileges` names. setns(2) needs sys_admin.
"""

import ctypes
import struct

from landfast_agent.errors import KernelError

#: Capabilities that undo enforcement, with their numbers.
UNDOING = {
    "net_admin": 12,
    "net_raw": 13,
    "sys_module": 16,
    "sys_rawio": 17,
    "sys_ptrace": 19,
    "sys_admin": 21,
    "sys_boot": 22,
    "sys_time": 25,
    "mknod": 27,
    "perfmon": 38,
    "bpf": 39,
    "checkpoint_restore": 40,
}
_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER = 23, 24, 47, 3
_VERSION_3 = 0x20080522
_SETS = struct.Struct("=IIIIII")  # low words of effective, permitted, inheritable, then the high words


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(status: int, what: str) -> None:
    if status != 0:
        raise KernelError(what, ctypes.get_errno())


def _read() -> list[int]:
    header, data = struct.pack("=Ii", _VERSION_3, 0), ctypes.create_string_buffer(_SETS.size)
    _check(_libc().capget(header, data), "read capabilities")
    return list(_SETS.unpack(data.raw))


def _write(words: list[int]) -> None:
    header = struct.pack("=Ii", _VERSION_3, 0)
    _check(_libc().capset(header, _SETS.pack(*words)), "give up capabilities")


def drop() -> list[str]:
    """Takes the capabilities from all sets of this process, for good. Returns the names of those that it had.

    Without CAP_SETPCAP the bounding set stays; what an unprivileged process has none of, it cannot drop.
    """
    words, had = _read(), []
    for name, number in UNDOING.items():
        low, bit = (0, number) if number < 32 else (3, number - 32)
        if words[low + 1] >> bit & 1:
            had.append(name)
        for offset in range(3):
            words[low + offset] &= ~(1 << bit)
        _drop_from_bounding_set(number)
    _write(words)
    return had


def _drop_from_bounding_set(number: int) -> None:
    libc = _libc()
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER, number, 0, 0)
    if libc.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) == 1:
        libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)

"""Names of the calls that are refused by themselves: events of the stage SYSCALL.

Their `detail` is the number of a system call, or of a hook of BPF LSM. Only those that bpf/guard.c looks at are named.
"""

from landfast.event import Event
from landfast.verdict import LsmHook, Reason

#: Bits of `detail`: LF_CALL_32BIT, LF_CALL_LSM.
CALL_32BIT, CALL_LSM = 1 << 32, 1 << 33

#: By number, of arch/x86/entry/syscalls/syscall_64.tbl.
NAMES_64 = {
    1: "write",
    16: "ioctl",
    18: "pwrite64",
    20: "writev",
    41: "socket",
    53: "socketpair",
    101: "ptrace",
    175: "init_module",
    246: "kexec_load",
    296: "pwritev",
    311: "process_vm_writev",
    313: "finit_module",
    320: "kexec_file_load",
    321: "bpf",
    328: "pwritev2",
    425: "io_uring_setup",
    426: "io_uring_enter",
    427: "io_uring_register",
    438: "pidfd_getfd",
}

#: By number, of arch/x86/entry/syscalls/syscall_32.tbl.
NAMES_32 = {
    4: "write",
    26: "ptrace",
    54: "ioctl",
    102: "socketcall",
    128: "init_module",
    146: "writev",
    181: "pwrite64",
    283: "kexec_load",
    334: "pwritev",
    348: "process_vm_writev",
    350: "finit_module",
    357: "bpf",
    359: "socket",
    360: "socketpair",
    379: "pwritev2",
    425: "io_uring_setup",
    426: "io_uring_enter",
    427: "io_uring_register",
    438: "pidfd_getfd",
}


def name(item: Event) -> str:
    """`ptrace`, `ptrace/32bit`, `lsm/ptrace_access_check`; a number where this side knows no name."""
    number = item.detail & (CALL_32BIT - 1)
    if item.reason == Reason.SOURCE_ROUTE:
        return "setsockopt"
    if item.detail & CALL_LSM:
        return f"lsm/{_hook(number)}"
    if item.detail & CALL_32BIT:
        return f"{NAMES_32.get(number, number)}/32bit"
    return str(NAMES_64.get(number, number))


def _hook(number: int) -> str:
    try:
        return LsmHook(number).name.lower()
    except ValueError:
        return str(number)

"""Names of what the kernel decides and why: the enums of bpf/landfast.h, value by value."""

from enum import IntEnum


class Space(IntEnum):
    """What address a prefix is about (enum lf_space)."""

    ALLOW = 0
    SERVE = 1
    PEER = 2


class Protocol(IntEnum):
    """Transports that a policy names (enum lf_proto): IP protocol numbers, ICMPv6 folded into ICMP."""

    ICMP = 1
    TCP = 6
    UDP = 17


class Verdict(IntEnum):
    """Enum lf_verdict. WOULD_DENY: every class that is missing is in audit mode; recorded, let pass."""

    ALLOW = 1
    DENY = 2
    WOULD_DENY = 3


class Reason(IntEnum):
    """Enum lf_reason."""

    NONE = 0
    RULE = 1
    SERVE = 2
    PEER = 3
    SAME_CLASS = 4
    LOOPBACK = 5
    NO_RULE = 6
    EXPIRED = 7
    UNKNOWN_CLASS = 8
    NO_POLICY = 9
    UNTAGGED_PEER = 10
    FORBIDDEN_FAMILY = 11
    FORBIDDEN_PROTOCOL = 12
    RAW_SOCKET = 13
    SOURCE_ROUTE = 14
    MALFORMED = 15
    NO_STORAGE = 16
    EXEC = 17
    CGROUP = 18
    FORBIDDEN_CALL = 19
    FOREIGN_NAMESPACE = 20


class Stage(IntEnum):
    """Where a record was made (enum lf_stage)."""

    CREATE = 0
    CONNECT = 1
    SENDMSG = 2
    EGRESS = 3
    TASK = 4
    SYSCALL = 5
    UNIX = 6
    DEVICE = 7
    FLOW = 8


class LsmHook(IntEnum):
    """Hooks of BPF LSM that refuse, named as the kernel names them (enum lf_lsm_hook)."""

    SOCKET_CREATE = 1
    SOCKET_SENDMSG = 2
    FILE_RECEIVE = 3
    FILE_PERMISSION = 4
    PTRACE_ACCESS_CHECK = 5
    BPF = 6
    KERNEL_READ_FILE = 7
    KERNEL_LOAD_DATA = 8
    TUN_DEV_CREATE = 9
    TUN_DEV_OPEN = 10
    INODE_INIT_SECURITY_ANON = 11
    SOCKET_POST_CREATE = 12
    SOCKET_ACCEPT = 13

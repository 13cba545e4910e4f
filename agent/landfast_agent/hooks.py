"""Where the programs of the data plane are attached."""

from collections.abc import Container
from dataclasses import dataclass

SCHED_CLS, TRACEPOINT, CGROUP_SKB, CGROUP_SOCK, RAW_TRACEPOINT = 3, 5, 8, 9, 17  # enum bpf_prog_type
CGROUP_SOCK_ADDR, CGROUP_SOCKOPT, TRACING, LSM = 18, 25, 26, 29
_TRACE_RAW_TP, _LSM_MAC = 23, 27  # enum bpf_attach_type


@dataclass(frozen=True)
class Hook:
    """A place for one program: a cgroup attach type, or a tracepoint of the given program kind.

    What is `optional` may be missing on a kernel that refuses to load it. What is `on_demand` is loaded with the rest,
    and attached only while it is needed.
    """

    program: str
    kind: int
    attach_type: int = 0
    tracepoint: str = ""
    optional: bool = False
    on_demand: bool = False
    function: str = ""  # of the kernel, which an LSM program stands beside

    @property
    def title(self) -> str:
        if self.kind == LSM:
            return f"lsm/{self.function.removeprefix('bpf_lsm_')}"
        if self.kind == SCHED_CLS:
            return "tc/egress"
        return self.tracepoint or f"cgroup/{self.program.removeprefix('lf_')}"

    @property
    def is_cgroup(self) -> bool:
        return self.kind in (CGROUP_SKB, CGROUP_SOCK, CGROUP_SOCK_ADDR, CGROUP_SOCKOPT)


GUARD = Hook("lf_sys_enter", RAW_TRACEPOINT, tracepoint="sys_enter", optional=True, on_demand=True)


def _typed(program: str, tracepoint: str) -> Hook:
    return Hook(program, TRACING, _TRACE_RAW_TP, tracepoint=tracepoint, optional=True, on_demand=True)


GUARD_HOOKS = (
    GUARD,
    _typed("lf_shared_table", "task_newtask"),
    _typed("lf_sock_send_length", "sock_send_length"),
    _typed("lf_tcp_sendmsg_locked", "tcp_sendmsg_locked"),
)

FLOW_HOOKS = (
    _typed("lf_inet_sock_set_state", "inet_sock_set_state"),
    Hook("lf_sock_release", CGROUP_SOCK, 34, optional=True, on_demand=True),
    Hook("lf_ingress", CGROUP_SKB, 0, optional=True, on_demand=True),
)

DEVICE = Hook("lf_device", SCHED_CLS, on_demand=True)  # at each network link: landfast_agent.devices


def _lsm(name: str) -> Hook:
    return Hook(f"lf_lsm_{name}", LSM, _LSM_MAC, optional=True, on_demand=True, function=f"bpf_lsm_{name}")


LSM_HOOKS = (
    _lsm("socket_create"),
    _lsm("socket_post_create"),
    _lsm("socket_connect"),
    _lsm("socket_accept"),
    _lsm("socket_sendmsg"),
    _lsm("file_receive"),
    _lsm("unix_stream_connect"),
    _lsm("unix_may_send"),
    _lsm("ptrace_access_check"),
    _lsm("bpf"),
    _lsm("kernel_read_file"),
    _lsm("kernel_load_data"),
    _lsm("tun_dev_create"),
    _lsm("tun_dev_open"),
    _lsm("inode_init_security_anon"),
    _lsm("capable"),
)
LSM_SPLICE = _lsm("file_permission")  # before Linux 6.5 only


def has_lsm_tier(programs: Container[str]) -> bool:
    """Whether these programs, by name, are enough to do without the guard on system calls."""
    return all(hook.program in programs for hook in LSM_HOOKS)


HOOKS = (
    Hook("lf_task_newtask", RAW_TRACEPOINT, tracepoint="task_newtask"),
    Hook("lf_sched_process_exec", TRACEPOINT, tracepoint="sched/sched_process_exec"),
    Hook("lf_sched_process_exit", TRACEPOINT, tracepoint="sched/sched_process_exit"),
    Hook("lf_cgroup_mkdir", TRACEPOINT, tracepoint="cgroup/cgroup_mkdir"),
    Hook("lf_cgroup_rmdir", TRACEPOINT, tracepoint="cgroup/cgroup_rmdir"),
    Hook("lf_cgroup_attach_task", TRACEPOINT, tracepoint="cgroup/cgroup_attach_task"),
    Hook("lf_sock_create", CGROUP_SOCK, 2),
    Hook("lf_connect4", CGROUP_SOCK_ADDR, 10),
    Hook("lf_connect6", CGROUP_SOCK_ADDR, 11),
    Hook("lf_sendmsg4", CGROUP_SOCK_ADDR, 14),
    Hook("lf_sendmsg6", CGROUP_SOCK_ADDR, 15),
    Hook("lf_recvmsg4", CGROUP_SOCK_ADDR, 19),
    Hook("lf_recvmsg6", CGROUP_SOCK_ADDR, 20),
    Hook("lf_setsockopt", CGROUP_SOCKOPT, 22),
    Hook("lf_egress", CGROUP_SKB, 1),
    Hook("lf_unix_connect", CGROUP_SOCK_ADDR, 49, optional=True),
    Hook("lf_unix_sendmsg", CGROUP_SOCK_ADDR, 50, optional=True),
    DEVICE,
    *GUARD_HOOKS,
    *FLOW_HOOKS,
    *LSM_HOOKS,
    LSM_SPLICE,
)

"""Where the running kernel keeps what our programs read: offsets of struct fields and ids of functions, from its BTF.

The sources include uapi headers only, so that they compile against any kernel's headers; what lies inside the kernel is
read at offsets that the kernel itself tells (/sys/kernel/btf/vmlinux).
"""

import ctypes as c
import errno
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from landfast_agent import libbpf
from landfast_agent.errors import KernelError, Unavailable

_STRUCT, _UNION, _TYPEDEF, _FUNC = 4, 5, 8, 12  # BTF_KIND_*
_TRANSPARENT = (8, 9, 10, 11, 18)  # typedef, volatile, const, restrict, type_tag

#: Define of the C sources: the path to a field, from the struct that it begins in. A dot leads into an embedded struct.
FIELDS = {
    "LF_TASK_PID": ("task_struct", "pid"),
    "LF_TASK_TGID": ("task_struct", "tgid"),
    "LF_TASK_CRED": ("task_struct", "cred"),
    "LF_CRED_UID": ("cred", "uid"),
    "LF_TASK_STATUS": ("task_struct", "thread_info.status"),
    "LF_TASK_NSPROXY": ("task_struct", "nsproxy"),
    "LF_TASK_FILES": ("task_struct", "files"),
    "LF_TASK_MM": ("task_struct", "mm"),
    "LF_TASK_STACK": ("task_struct", "stack"),
    "LF_TASK_FS": ("task_struct", "fs"),
    "LF_TASK_CGROUPS": ("task_struct", "cgroups"),
    "LF_CSS_SET_CGROUP": ("css_set", "dfl_cgrp"),
    "LF_CGROUP_KN": ("cgroup", "kn"),
    "LF_KERNFS_ID": ("kernfs_node", "id"),
    "LF_NSPROXY_NET": ("nsproxy", "net_ns"),
    "LF_NSPROXY_MNT": ("nsproxy", "mnt_ns"),
    "LF_NSPROXY_PID": ("nsproxy", "pid_ns_for_children"),
    "LF_PID_NS_REAPER": ("pid_namespace", "child_reaper"),
    "LF_PID_NS_LEVEL": ("pid_namespace", "level"),
    "LF_FS_ROOT": ("fs_struct", "root"),
    "LF_NET_COOKIE": ("net", "net_cookie"),
    "LF_FILES_TABLE": ("files_struct", "fdt"),
    "LF_TABLE_SIZE": ("fdtable", "max_fds"),
    "LF_TABLE_FILES": ("fdtable", "fd"),
    "LF_FILE_INODE": ("file", "f_inode"),
    "LF_FILE_DENTRY": ("file", "f_path.dentry"),
    "LF_FILE_PRIVATE": ("file", "private_data"),
    "LF_INODE_SUPER": ("inode", "i_sb"),
    "LF_INODE_MODE": ("inode", "i_mode"),
    "LF_INODE_DEVICE": ("inode", "i_rdev"),
    "LF_SUPER_MAGIC": ("super_block", "s_magic"),
    "LF_DENTRY_NAME": ("dentry", "d_name.name"),
    "LF_SOCK_SOCKET": ("sock", "sk_socket"),
    "LF_SOCK_OWNED": ("sock", "sk_lock.owned"),
    "LF_SOCK_NET": ("sock", "__sk_common.skc_net.net"),
    "LF_SOCK_FAMILY": ("sock", "__sk_common.skc_family"),
    "LF_SOCK_KIND": ("sock", "sk_type"),
    "LF_SOCK_PROTOCOL": ("sock", "sk_protocol"),
    "LF_SOCK_PROTO": ("sock", "__sk_common.skc_prot"),
    "LF_PROTO_NAME": ("proto", "name"),
    "LF_NETLINK_PORT": ("netlink_sock", "dst_portid"),
    "LF_NETLINK_GROUP": ("netlink_sock", "dst_group"),
    "LF_SOCK_REUSEPORT": ("sock", "sk_reuseport_cb"),
    "LF_REUSEPORT_PROG": ("sock_reuseport", "prog"),
    "LF_SKB_DST": ("sk_buff", "_skb_refdst"),
    "LF_RTABLE_TYPE": ("rtable", "rt_type"),
    "LF_UDP_PENDING": ("udp_sock", "pending"),
    "LF_SOCKET_SK": ("socket", "sk"),
    "LF_SOCKET_TYPE": ("socket", "type"),
    "LF_MSG_NAME": ("msghdr", "msg_name"),
    "LF_MSG_NAME_LENGTH": ("msghdr", "msg_namelen"),
    "LF_QSTR_NAME": ("qstr", "name"),
    "LF_HAVE_SENDPAGE": ("proto_ops", "sendpage"),
    "LF_SOCKET_FILE": ("socket", "file"),
    "LF_ADDR_UADDR": ("bpf_sock_addr_kern", "uaddr"),
    "LF_ADDR_LENGTH": ("bpf_sock_addr_kern", "uaddrlen"),
}


class _Type(NamedTuple):
    """struct btf_type of uapi/linux/btf.h; `size` is the type for those that refer to one."""

    name: int
    info: int
    size: int

    @property
    def kind(self) -> int:
        return self.info >> 24 & 0x1F


class _Member(NamedTuple):
    name: str
    type: int
    bits: int  # offset


@cache
def _vmlinux() -> int:
    library = libbpf.lib()
    library.btf__load_vmlinux_btf.restype = c.c_void_p
    library.btf__type_by_id.restype = c.c_void_p
    library.btf__name_by_offset.restype = c.c_char_p
    found = library.btf__load_vmlinux_btf()
    if not found:
        raise Unavailable("this kernel has no BTF (/sys/kernel/btf/vmlinux): it needs CONFIG_DEBUG_INFO_BTF")
    return int(found)


def _type(number: int) -> tuple[_Type, int]:
    """A type, with typedefs and qualifiers seen through, and its address."""
    address = int(libbpf.lib().btf__type_by_id(c.c_void_p(_vmlinux()), number))
    found = _Type(*(c.c_uint32 * 3).from_address(address))
    return _type(found.size) if found.kind in _TRANSPARENT else (found, address)


def _members(number: int) -> Iterator[_Member]:
    """Of a struct or union; members of unnamed ones count as its own, as in C."""
    found, address = _type(number)
    if found.kind not in (_STRUCT, _UNION):
        return
    for index in range(found.info & 0xFFFF):
        name, kind, offset = (c.c_uint32 * 3).from_address(address + 12 + index * 12)
        text = libbpf.lib().btf__name_by_offset(c.c_void_p(_vmlinux()), name).decode()
        bits = offset & 0xFFFFFF if found.info >> 31 else offset  # the rest is the size of a bit field
        if text:
            yield _Member(text, kind, bits)
        else:
            yield from (_Member(m.name, m.type, m.bits + bits) for m in _members(kind))


def _id(name: str, kind: int) -> int | None:
    number = int(libbpf.lib().btf__find_by_name_kind(c.c_void_p(_vmlinux()), name.encode(), kind))
    return number if number > 0 else None


def offset(struct: str, path: str) -> int | None:
    """Bytes from the beginning of `struct` to the field `path`; None when this kernel has no such field."""
    number, bits = _id(struct, _STRUCT), 0
    for name in path.split("."):
        member = next((m for m in _members(number) if m.name == name), None) if number else None
        if member is None:
            return None
        number, bits = member.type, bits + member.bits
    return bits // 8


def require_function(name: str) -> int:
    """Id of a kernel function, to call a kfunc or to attach to an LSM hook. Raises KernelError: there is none."""
    return _require(name, _FUNC, "function")


def require_tracepoint(name: str) -> int:
    """Id of what describes a raw tracepoint's arguments. Raises KernelError: there is none."""
    return _require(f"btf_trace_{name}", _TYPEDEF, "tracepoint")


def _require(name: str, kind: int, what: str) -> int:
    number = _id(name, kind)
    if number is None:
        raise KernelError(f"find kernel {what} {name}", errno.ENOSYS)
    return number


def defines() -> list[str]:
    """NAME=VALUE for the fields that this kernel has; sources leave out what needs a missing one."""
    found = {name: offset(*path) for name, path in FIELDS.items()}
    found["LF_HAVE_TCP_SENDMSG"] = _id("btf_trace_tcp_sendmsg_locked", _TYPEDEF)
    found["LF_HAVE_MPTCP"] = _id("bpf_skc_to_mptcp_sock", _FUNC)
    found["LF_HAVE_SIGNAL_TASK"] = _id("bpf_send_signal_task", _FUNC)
    return [f"{name}={value}" for name, value in found.items() if value is not None]

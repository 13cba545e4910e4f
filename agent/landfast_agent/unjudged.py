"""What a process has open that nobody can judge: no hook sees what leaves it, or only when it has left.

Devices are told by their number, whatever path they were opened by; sockets by what the kernel says of them. Nothing
is opened or asked for that a file system in user space could wait to answer.
"""

import ctypes
import os
import re
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from landfast_agent import sockets
from landfast_agent.sockets import Found

_AT_FDCWD, _AT_STATX_DONT_SYNC, _STATX_BASIC = -100, 0x4000, 0x7FF  # uapi/linux/fcntl.h, uapi/linux/stat.h
_STATX_SIZE, _MODE_AT, _RDEV_AT = 256, 28, 128  # struct statx
_FORKED_ONLY = 0x40  # PF_FORKNOEXEC of linux/sched.h
_USERSOCK = 2  # uapi/linux/netlink.h
_INET = (socket.AF_INET, socket.AF_INET6)
_INET_PROTOCOLS = (socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6)


@dataclass(frozen=True)
class Kind:
    """`what` it is, and `why` nobody can judge it: parts of a sentence."""

    what: str
    why: str


_FRAMES = "whose frames pass no hook on sockets"
_DRIVES = "which drives hardware past the kernel"
RING = Kind("an io_uring", "which may hold sockets, and sends before a call can be stopped")
NO_ROOM = Kind("a socket whose option memory is full", "so that there is no room for its tags (net.core.optmem_max)")
_FOREIGN_MEMORY = Kind("the memory of another process, writable", "who may send what is written there")
_RAW_MEMORY = Kind("the memory of the host", "which undoes everything")
_RAW = Kind("a raw socket", "whose packets say what they like of where they go")

#: By the text of a descriptor's link.
_ANONYMOUS = {
    "anon_inode:[io_uring]": RING,
    "anon_inode:bpf-prog": Kind("a BPF program", "whose test run sends frames before the call can be stopped"),
}
#: By the name of a device in /proc/misc, and of the driver of character devices in /proc/devices.
_MISC = {
    "tun": Kind("a tunnel device", _FRAMES),
    "vhost-net": Kind("a network backend of a virtual machine", _FRAMES),
    "vhost-vsock": Kind("a socket backend of a virtual machine", "whose data passes no hook on sockets"),
}
_DRIVERS = {
    "macvtap": Kind("a macvtap device", _FRAMES),
    "ipvtap": Kind("an ipvtap device", _FRAMES),
    "vfio": Kind("a device handed to user space", _DRIVES),
    "uio": Kind("a device handed to user space", _DRIVES),
    "infiniband_verbs": Kind("an RDMA device", _DRIVES),
}
_MISC_MAJOR, _MEMORY = 10, {(1, 1), (1, 2), (1, 4)}  # mem, kmem, port: Documentation/admin-guide/devices.txt
_FAMILIES = {
    "AF_PACKET": Kind("a packet socket", _FRAMES),
    "AF_XDP": Kind("an AF_XDP socket", _FRAMES),
    "AF_VSOCK": Kind("a vsock", "whose data passes no hook on packets"),
}
_MEM_OF = re.compile(r"/(\d+)(?:/task/(\d+))?/mem")


@dataclass(frozen=True)
class Unjudged:
    """A descriptor of a process. `closes_on_exec`: it is about to lose it, if it is about to execute."""

    fd: int
    kind: Kind
    closes_on_exec: bool = False

    def __str__(self) -> str:
        return f"{self.kind.what} (descriptor {self.fd}), {self.kind.why}"


def found(pid: int) -> list[Unjudged]:
    """All of them, in every descriptor table of a process; none when it has ended."""
    held = [*_sockets(pid), *_files(pid)]
    return sorted(held, key=lambda each: each.fd)


def is_about_to_execute(pid: int) -> bool:
    """Whether it has executed nothing since it was forked: what closes on exec is its parent's, not its own."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return bool(int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[6]) & _FORKED_ONLY)
    return False


def _sockets(pid: int) -> Iterator[Unjudged]:
    for each, _ in sockets.opened(pid):
        if kind := _of_socket(each):
            yield Unjudged(each.fd, kind, _closes_on_exec(f"/proc/{pid}/task/{each.thread}/fdinfo/{each.fd}"))


def _of_socket(each: Found) -> Kind | None:
    if each.family in (socket.AF_UNIX, socket.AF_ALG):
        return None
    if each.family == socket.AF_NETLINK:
        return Kind("a NETLINK_USERSOCK", "which anybody may be listening to") if each.protocol == _USERSOCK else None
    if each.family not in _INET:
        name = _family_name(each.family)
        return _FAMILIES.get(name, Kind(f"a socket of the family {name}", "which nobody decides on"))
    if each.type == socket.SOCK_RAW:
        return _RAW
    if each.protocol not in _INET_PROTOCOLS:
        return Kind(f"a socket of the protocol {each.protocol}", "which nobody decides on")
    return None


def _family_name(number: int) -> str:
    names = {44: "AF_XDP", **{int(family): family.name for family in socket.AddressFamily}}
    return names.get(number, str(number))


def _files(pid: int) -> Iterator[Unjudged]:
    devices, own = _devices(), _numbers_of(pid)
    for thread in sockets.tables(pid):
        directory = f"/proc/{pid}/task/{thread}/fd"
        with suppress(FileNotFoundError, ProcessLookupError):
            for fd in os.listdir(directory):
                with suppress(FileNotFoundError, ProcessLookupError):
                    if kind := _of_file(f"{directory}/{fd}", devices, own):
                        yield Unjudged(int(fd), kind, _closes_on_exec(f"{directory}info/{fd}"))


def _of_file(path: str, devices: Mapping[tuple[int, int | None], Kind], own: set[int]) -> Kind | None:
    link = os.readlink(path)
    if not link.startswith("/"):
        return _ANONYMOUS.get(link)
    if memory := _MEM_OF.search(link):
        is_foreign = memory.end() == len(link) and int(memory[1]) not in own
        return _FOREIGN_MEMORY if is_foreign and os.lstat(path).st_mode & stat.S_IWUSR else None
    major, minor = _device_number(path)
    return devices.get((major, minor)) or devices.get((major, None))


def _device_number(path: str) -> tuple[int, int]:
    """Of a character device; of anything else zeros. Takes what the kernel remembers of a file."""
    libc, found = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(_STATX_SIZE)
    if libc.statx(_AT_FDCWD, path.encode(), _AT_STATX_DONT_SYNC, _STATX_BASIC, found) != 0:
        return 0, 0
    word = memoryview(found.raw)
    if not stat.S_ISCHR(int.from_bytes(word[_MODE_AT : _MODE_AT + 2], "little")):
        return 0, 0
    major, minor = (int.from_bytes(word[at : at + 4], "little") for at in (_RDEV_AT, _RDEV_AT + 4))
    return major, minor


def _devices() -> dict[tuple[int, int | None], Kind]:
    """Kinds by major and minor number; None stands for every minor number."""
    table: dict[tuple[int, int | None], Kind] = dict.fromkeys(_MEMORY, _RAW_MEMORY)
    for minor, name in _numbered("/proc/misc"):
        if name in _MISC:
            table[_MISC_MAJOR, minor] = _MISC[name]
    for major, name in _numbered("/proc/devices"):
        if name in _DRIVERS:
            table[major, None] = _DRIVERS[name]
    return table


def _numbered(path: str) -> Iterator[tuple[int, str]]:
    for line in Path(path).read_text().splitlines():
        if (words := line.split()) and words[0].isdecimal():
            yield int(words[0]), words[1]


def _numbers_of(pid: int) -> set[int]:
    """Those of a process and its threads, here and in its own namespaces."""
    numbers = {pid}
    with suppress(FileNotFoundError, ProcessLookupError):
        numbers |= {int(thread) for thread in os.listdir(f"/proc/{pid}/task")}
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        numbers |= {int(word) for line in lines if line.startswith("NSpid:") for word in line.split()[1:]}
    return numbers


def _closes_on_exec(path: str) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = dict(line.split(":\t", 1) for line in Path(path).read_text().splitlines() if ":\t" in line)
        return bool(int(fields["flags"], 8) & os.O_CLOEXEC)
    return False

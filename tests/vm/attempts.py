"""What a tagged process may try, a program of its own: `attempts.py JSON` tries each [name, argument...] in turn.

Prints a JSON list: "ok", or the name of an errno. Imports nothing of the project.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable

BPF, IO_URING_SETUP, FINIT_MODULE, PIDFD_GETFD, PROCESS_VM_WRITEV, PTRACE = 321, 425, 313, 438, 311, 101
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
TUNSETIFF = 0x400454CA


def syscall(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def create(family: int, kind: int, protocol: int = 0) -> None:
    socket.socket(family, kind, protocol).close()


def pair() -> None:
    one, other = socket.socketpair()
    one.sendall(b"x")
    assert other.recv(1) == b"x"


def bpf() -> None:
    syscall(BPF, 0, ctypes.create_string_buffer(bytes([2, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1]) + bytes(60)), 72)


def io_uring() -> None:
    os.close(syscall(IO_URING_SETUP, 4, ctypes.create_string_buffer(120)))


def module() -> None:
    with open(__file__, "rb") as file:
        syscall(FINIT_MODULE, file.fileno(), b"", 0)


def tun() -> None:
    with open("/dev/net/tun", "rb+", buffering=0) as device:
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"", 0x1001))


def take_descriptor(pid: int) -> None:
    os.close(syscall(PIDFD_GETFD, os.pidfd_open(pid), 0, 0))


def write_memory(pid: int, address: int) -> None:
    text = ctypes.create_string_buffer(b"seen")
    ours = struct.pack("QQ", ctypes.addressof(text), 4)
    theirs = struct.pack("QQ", address, 4)
    syscall(PROCESS_VM_WRITEV, pid, ours, ctypes.c_ulong(1), theirs, ctypes.c_ulong(1), ctypes.c_ulong(0))


def write_memory_of_child() -> None:
    shared = mmap.mmap(-1, 4096)
    address = ctypes.addressof(ctypes.c_char.from_buffer(shared))
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        write_memory(child, address)
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def take(path: str) -> int:
    """A descriptor that the server at `path` hands out."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        said, passed, _, _ = socket.recv_fds(link, 10, 1)
    if not said:
        raise FileNotFoundError(errno.ENOENT, "the server has nothing to give")
    if not passed:
        raise PermissionError(errno.EPERM, "no descriptor arrived")
    return passed[0]


def receive(path: str) -> None:
    """Takes a descriptor that the server at `path` hands out, and sends on it."""
    with socket.socket(fileno=take(path)) as sock:
        sock.send(b"user data of a European")


def receive_file(path: str) -> None:
    os.close(take(path))


def netlink(way: str, port: int, groups: int = 0) -> None:
    """A message that nobody has to understand; to the kernel when both numbers are 0."""
    with (
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock,
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as fellow,
    ):
        fellow.bind((0, 0))
        to = (fellow.getsockname()[0] if port else 0, groups)
        message = struct.pack("=IHHII", 16, 3, 0, 1, 0)  # NLMSG_DONE
        if way == "connect":
            sock.connect(to)
            sock.send(message)
        else:
            sock.sendto(message, to)


def stream(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path.replace("@", "\0"))


def datagram(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"user data of a European", path.replace("@", "\0"))


def connected_datagram(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(path.replace("@", "\0"))
        sock.send(b"user data of a European")
        sock.send(b"user data of a European")


def late(cgroup: str, way: str) -> None:
    """Sends on a socket that was opened before the process became tagged, by moving into a selected cgroup."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, open(__file__, "rb") as file:
        sock.connect(("203.0.113.10", 9))
        with open(f"{cgroup}/cgroup.procs", "w") as processes:
            processes.write(str(os.getpid()))
        if way == "sendfile":
            os.sendfile(sock.fileno(), file.fileno(), 0, 100)
        else:
            sock.send(b"user data of a European")


WAYS: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (
        create, pair, bpf, io_uring, module, tun, take_descriptor, write_memory, write_memory_of_child, receive,
        receive_file, netlink, stream, datagram, connected_datagram, late,
    )
}  # fmt: skip


def attempt(name: str, *arguments: object) -> str:
    try:
        WAYS[name](*arguments)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


if __name__ == "__main__":
    print(json.dumps([attempt(*each) for each in json.loads(sys.argv[1])]))

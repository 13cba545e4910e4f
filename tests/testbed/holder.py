"""A program that opens what its first argument names, prints the descriptor, and keeps it: holder.py KIND [CMD...].

With a command it becomes that command, which inherits the descriptor; else it waits to be ended.
"""

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

_BPF, _IO_URING_SETUP, _CLONE_FILES = 321, 425, 0x400
_USERSOCK, _MPTCP, _UDP_LITE, _AF_XDP = 2, 262, 136, 44
_kept: list[socket.socket] = []


def _socket(*words: int) -> int:
    _kept.append(socket.socket(*words))
    return _kept[-1].fileno()


def _ring() -> int:
    return int(ctypes.CDLL(None).syscall(_IO_URING_SETUP, 1, ctypes.create_string_buffer(120)))


def _program() -> int:
    """BPF_PROG_LOAD of a filter that returns 0."""
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(licence)).ljust(128, b"\0")
    return int(ctypes.CDLL(None).syscall(_BPF, 5, ctypes.create_string_buffer(attributes), 128))


def _macvtap() -> int:
    """On a link of its own in this network namespace; the file bears the number of the device."""
    index = 100000 + os.getpid()
    for words in ("add v%d type veth peer w%d", "add link v%d index %d name m%d type macvtap"):
        numbers = (index, index) if words.startswith("add v") else (index, index, index)
        subprocess.run(["ip", "link", *(words % numbers).split()], check=True)
    for _ in range(100):
        if os.path.exists(f"/dev/tap{index}"):
            break
        time.sleep(0.05)
    return os.open(f"/dev/tap{index}", os.O_RDWR)


def _foreign_memory() -> int:
    return os.open(f"/proc/{os.getppid()}/mem", os.O_RDWR)


def _full() -> int:
    """Joins groups on the loopback device until memory for options is refused."""
    fd = _socket(socket.AF_INET6, socket.SOCK_DGRAM)
    for number in range(100000):
        group = socket.inet_pton(socket.AF_INET6, "ff01::1:0:0")[:12] + struct.pack("!I", number)
        try:
            _kept[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("@I", 1))
        except OSError:
            break
    return fd


def _in_own_table() -> int:
    """A raw socket in the table of a thread that has left the common one."""
    import threading

    opened: list[int] = []

    def work() -> None:
        ctypes.CDLL(None).unshare(_CLONE_FILES)
        opened.append(_socket(socket.AF_INET, socket.SOCK_RAW, 1))
        time.sleep(100)

    threading.Thread(target=work, daemon=True).start()
    while not opened:
        time.sleep(0.01)
    return opened[0]


#: What can be held, by the name that is asked for.
KINDS: dict[str, Callable[[], int]] = {
    "raw": lambda: _socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "raw6": lambda: _socket(socket.AF_INET6, socket.SOCK_RAW, 58),
    "packet": lambda: _socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0),
    "xdp": lambda: _socket(_AF_XDP, socket.SOCK_RAW, 0),
    "usersock": lambda: _socket(socket.AF_NETLINK, socket.SOCK_RAW, _USERSOCK),
    "mptcp": lambda: _socket(socket.AF_INET, socket.SOCK_STREAM, _MPTCP),
    "udp_lite": lambda: _socket(socket.AF_INET, socket.SOCK_DGRAM, _UDP_LITE),
    "ring": _ring,
    "bpf_program": _program,
    "tun": lambda: os.open("/dev/net/tun", os.O_RDWR),
    "macvtap": _macvtap,
    "foreign_memory": _foreign_memory,
    "own_table": _in_own_table,
    "full": _full,
    "own_memory": lambda: os.open("/proc/self/mem", os.O_RDWR),
    "read_memory": lambda: os.open(f"/proc/{os.getppid()}/mem", os.O_RDONLY),
    "route": lambda: _socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "udp": lambda: _socket(socket.AF_INET, socket.SOCK_DGRAM),
    "null": lambda: os.open("/dev/null", os.O_RDWR),
}

if __name__ == "__main__":
    descriptor = KINDS[sys.argv[1]]()
    if sys.argv[2:]:
        os.set_inheritable(descriptor, True)
        os.environ["HELD"] = str(descriptor)
        os.execvp(sys.argv[2], sys.argv[2:])
    print(f"holds {descriptor}.", flush=True)
    signal.pause()

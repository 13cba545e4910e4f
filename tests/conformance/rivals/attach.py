"""Attaches rivals to a cgroup and holds them until it is ended: python3 attach.py CGROUP APPROVED4 APPROVED6 NAME...

Runs by itself, under the system's Python, which has BCC. Prints "ready". The links end with the process.
"""

import ctypes
import os
import signal
import socket
import struct
import sys
from pathlib import Path

sys.path.append("/usr/lib/python3/dist-packages")  # -S: BCC and nothing else

from bcc import BPF

_SKB, _SOCK_ADDR = 8, 18  # enum bpf_prog_type
#: Function, program type and attach type (uapi/linux/bpf.h) of each rival's programs.
_PROGRAMS = {
    "connect": [("connect4", _SOCK_ADDR, 10), ("connect6", _SOCK_ADDR, 11), ("sendmsg4", _SOCK_ADDR, 14),
                ("sendmsg6", _SOCK_ADDR, 15)],
    "skb": [("egress", _SKB, 1)],
}  # fmt: skip


def definitions(approved4: str, approved6: str) -> list[str]:
    (v4,) = struct.unpack("=I", socket.inet_pton(socket.AF_INET, approved4))
    v6 = struct.unpack("=4I", socket.inet_pton(socket.AF_INET6, approved6))
    return [f"-DAPPROVED4={v4}U", *(f"-DAPPROVED6_{letter}={word}U" for letter, word in zip("ABCD", v6, strict=True))]


def attach(name: str, cgroup: int, flags: list[str]) -> None:
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    bpf = BPF(text=Path(__file__).with_name(f"{name}.c").read_text(), cflags=flags)
    for function, kind, where in _PROGRAMS[name]:
        program = bpf.load_func(function, kind, None, where)
        if libbpf.bpf_link_create(program.fd, cgroup, where, None) < 0:
            sys.exit(f"{name}: {function} cannot be attached: {os.strerror(ctypes.get_errno())}")
    KEPT.append(bpf)


KEPT: list[BPF] = []
where, approved4, approved6, *names = sys.argv[1:]
directory = os.open(where, os.O_RDONLY)
for each in names:
    attach(each, directory, definitions(approved4, approved6))
print("ready", flush=True)
signal.pause()

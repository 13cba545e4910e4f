"""Holds unix sockets, a program of its own: `holder.py DIRECTORY` listens there until it is killed.

It prints "ready" and the address of four bytes that others may try to change. `stream` is a listener that hands out an
internet socket, `raw` one that hands out a raw socket, `datagram` receives; `@NAME` of the directory is abstract.
`tun`, `macvtap` and `bpf` hand out such descriptors, `null` one of /dev/null.
"""

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

directory = sys.argv[1]
text = ctypes.create_string_buffer(b"mine")


def internet(kind: int, protocol: int = 0) -> int:
    with socket.socket(socket.AF_INET, kind, protocol) as given:
        given.connect(("203.0.113.10", 9))
        return given.detach()


def tun() -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    return device


def macvtap() -> int:
    add = "ip link show tap0 || ip link add link eth0 name tap0 type macvtap mode bridge"
    subprocess.run(["/bin/sh", "-c", add], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return os.open(f"/dev/tap{socket.if_nametoindex('tap0')}", os.O_RDWR)


def bpf() -> int:
    """A program that returns 0 (BPF_PROG_LOAD, a socket filter)."""
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    load = struct.pack("=IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(licence))
    made = int(ctypes.CDLL(None).syscall(321, 5, ctypes.create_string_buffer(load + bytes(96)), 120))
    assert made >= 0, "BPF_PROG_LOAD"
    return made


def hand_out(path: str, made: Callable[[], int]) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        client, _ = listener.accept()
        # a tagged holder has nothing to give, and not everybody waits for it
        with client, suppress(OSError):
            given = made()
            try:
                socket.send_fds(client, [b"x"], [given])
            finally:
                os.close(given)


for name, made in {
    f"{directory}/stream": lambda: internet(socket.SOCK_DGRAM),
    f"\0{os.path.basename(directory)}": lambda: internet(socket.SOCK_DGRAM),
    f"{directory}/tun": tun,
    f"{directory}/macvtap": macvtap,
    f"{directory}/bpf": bpf,
    f"{directory}/null": lambda: os.open("/dev/null", os.O_RDWR),
    f"{directory}/raw": lambda: internet(socket.SOCK_RAW, 1),
}.items():
    threading.Thread(target=hand_out, args=(name, made), daemon=True).start()
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(f"{directory}/datagram")
while not os.path.exists(f"{directory}/raw"):
    pass
print(ctypes.addressof(text), flush=True)
while True:
    receiver.recv(100)

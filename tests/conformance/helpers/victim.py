"""Sends what it finds in its own memory, and runs what it finds in a file: a process that others may tamper with.

There are two, one of root's and one of nobody's. Their memory is where a 32-bit address reaches it. For each, a line of
`HELPER.facts` has its number, the address of its memory, and the descriptor of its socket.
"""

import ctypes
import mmap
import os
import socket
import subprocess
import time

SIZE = 4096
MAP_32BIT, PR_SET_DUMPABLE, NOBODY = 0x40, 4, 65534
HELPER = os.environ["HELPER"]

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p


def low_memory() -> int:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT
    return int(libc.mmap(None, ctypes.c_size_t(SIZE), mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, ctypes.c_long(0)))


def become_nobody() -> None:
    """And remain open to others of the same user, as every ordinary process is."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def serve(memory: int, out: socket.socket) -> None:
    job = f"{HELPER}.job"
    while True:
        if found := ctypes.string_at(memory):
            out.send(found)
        if os.getuid() == 0 and os.path.exists(job):
            subprocess.run(["/bin/sh", job], check=False)
            os.unlink(job)
        time.sleep(0.05)


def main() -> None:
    memory = low_memory()
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    heard, told = os.pipe()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        become_nobody()
        os.write(told, b"x")
        serve(memory, out)
    os.read(heard, 1)
    with open(f"{HELPER}.facts", "w", encoding="ascii") as facts:
        facts.writelines(f"{pid} {memory} {out.fileno()}\n" for pid in (parent, child))
    print("ready", flush=True)
    serve(memory, out)


main()

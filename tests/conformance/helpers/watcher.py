"""Looks at what processes share with each other without sockets, and forwards what it finds to the forbidden address.

A file (written or mapped), a terminal, a POSIX and a System V message queue, System V shared memory, a key.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

Look = Callable[[], bytes]  # what is there now, empty if nothing

SIZE = 256
IPC_CREAT, IPC_RMID, IPC_NOWAIT = 0o1000, 0, 0o4000
SYS_KEYCTL, KEYCTL_SEARCH, KEYCTL_READ, KEYCTL_UNLINK = 250, 10, 11, 9
USER_KEYRING = -4
HELPER = os.environ["HELPER"]
KEY = int(os.environ["HELPER_PORT"])  # of System V objects: it is no other helper's

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.mq_receive.restype = libc.msgrcv.restype = ctypes.c_ssize_t


def shared_file(_: ExitStack) -> Look:
    path = f"{HELPER}.file"
    with open(path, "wb") as file:
        file.truncate(SIZE)

    def look() -> bytes:
        with open(path, "rb") as file:
            return file.read(SIZE).strip(b"\0")

    return look


def terminal(_: ExitStack) -> Look:
    master, slave = os.openpty()
    os.set_blocking(master, False)
    os.symlink(os.ttyname(slave), f"{HELPER}.tty")

    def look() -> bytes:
        try:
            return os.read(master, SIZE)
        except BlockingIOError:
            return b""

    return look


def posix_queue(undo: ExitStack) -> Look:
    name = f"/landfast-{KEY}".encode()
    queue = libc.mq_open(name, os.O_RDONLY | os.O_CREAT | os.O_NONBLOCK, 0o666, (ctypes.c_long * 8)(0, 2, SIZE))
    undo.callback(libc.mq_unlink, name)
    room = ctypes.create_string_buffer(SIZE)

    def look() -> bytes:
        size = libc.mq_receive(queue, room, ctypes.c_size_t(len(room)), None)
        return room.raw[: max(size, 0)]

    return look


def message_queue(undo: ExitStack) -> Look:
    queue = libc.msgget(KEY, IPC_CREAT | 0o666)
    undo.callback(libc.msgctl, queue, IPC_RMID, None)
    room = ctypes.create_string_buffer(8 + SIZE)

    def look() -> bytes:
        size = libc.msgrcv(queue, room, ctypes.c_size_t(SIZE), ctypes.c_long(0), IPC_NOWAIT)
        return room.raw[8 : 8 + max(size, 0)]

    return look


def shared_memory(undo: ExitStack) -> Look:
    segment = libc.shmget(KEY, ctypes.c_size_t(SIZE), IPC_CREAT | 0o666)
    undo.callback(libc.shmctl, segment, IPC_RMID, None)
    memory = ctypes.c_void_p(libc.shmat(segment, None, 0))
    return lambda: ctypes.string_at(memory, SIZE).strip(b"\0")


def key(undo: ExitStack) -> Look:
    room = ctypes.create_string_buffer(SIZE)

    def find() -> int:
        return int(libc.syscall(SYS_KEYCTL, KEYCTL_SEARCH, USER_KEYRING, b"user", HELPER.encode(), 0))

    def remove() -> None:
        libc.syscall(SYS_KEYCTL, KEYCTL_UNLINK, find(), USER_KEYRING)

    def look() -> bytes:
        found = find()
        size = libc.syscall(SYS_KEYCTL, KEYCTL_READ, found, room, SIZE) if found > 0 else 0
        return room.raw[: max(size, 0)]

    undo.callback(remove)
    return look


def main() -> None:
    os.umask(0)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    with ExitStack() as undo:
        looks = [make(undo) for make in (shared_file, terminal, posix_queue, message_queue, shared_memory, key)]
        print("ready", flush=True)
        while True:
            for look in looks:
                if seen := look():
                    out.send(seen)
            time.sleep(0.05)


main()

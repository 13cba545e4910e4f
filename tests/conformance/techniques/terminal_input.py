# title: characters pushed into the input of a terminal that an untagged shell reads
# row: existing unix stream, socketpair, pipe, fifo, shared memory, file, message queue
# helper: terminal
# documented: a terminal is no socket: start workloads without one, or set dev.tty.legacy_tiocsti=0 (since Linux 6.2)
import errno
import fcntl
import os
import sys
import time

from common import HELPER, MARK, attempt

TIOCSTI = 0x5412


def work() -> None:
    """A session's leader that has no terminal gets the one that it opens."""
    with open(f"{HELPER}.tty", encoding="ascii") as file:
        terminal = os.open(file.read(), os.O_RDWR)
    for number in MARK + b"\n":
        try:
            fcntl.ioctl(terminal, TIOCSTI, bytes([number]))
        except OSError as error:
            if error.errno == errno.EIO:
                print("dev.tty.legacy_tiocsti is 0")
                sys.exit(77)
            raise
    time.sleep(0.2)


attempt(work)

# title: TCP Fast Open to an untagged relay on this host
# row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
# caps: net_admin
# helper: relay_fast_open
# variants: 127.0.0.1 ::1
import socket
import time

from common import HELPER_PORT, MARK, VARIANT, attempt, family

FASTOPEN = 0x20000000


def work() -> None:
    """The first attempt gets the cookie, the second carries the mark in its SYN."""
    for _ in range(2):
        with socket.socket(family(VARIANT)) as sock:
            sock.sendto(MARK, FASTOPEN, (VARIANT, HELPER_PORT))
            time.sleep(0.1)


attempt(work)

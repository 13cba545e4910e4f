"""Holds unix sockets, a program of its own: `holder.py DIRECTORY` listens there until it is killed.

It prints "ready" and the address of four bytes that others may try to change. `stream` is a listener that hands out an
internet socket, `raw` one that hands out a raw socket, `datagram` receives; `@NAME` of the directory is abstract.
"""

import ctypes
import os
import socket
import sys
import threading
from contextlib import suppress

directory = sys.argv[1]
text = ctypes.create_string_buffer(b"mine")


def hand_out(path: str, kind: int, protocol: int = 0) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        client, _ = listener.accept()
        # a tagged holder has nothing to give, and not everybody waits for it
        with client, suppress(OSError), socket.socket(socket.AF_INET, kind, protocol) as given:
            given.connect(("203.0.113.10", 9))
            socket.send_fds(client, [b"x"], [given.fileno()])


for arguments in (
    (f"{directory}/stream", socket.SOCK_DGRAM),
    (f"\0{os.path.basename(directory)}", socket.SOCK_DGRAM),
    (f"{directory}/raw", socket.SOCK_RAW, 1),
):
    threading.Thread(target=hand_out, args=arguments, daemon=True).start()
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(f"{directory}/datagram")
while not os.path.exists(f"{directory}/raw"):
    pass
print(ctypes.addressof(text), flush=True)
while True:
    receiver.recv(100)

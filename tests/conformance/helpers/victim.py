"""Sends what it finds in its own memory, and runs what it finds in a file: a process that others may tamper with."""

import ctypes
import os
import socket
import subprocess
import time

SIZE = 256


def main() -> None:
    memory = ctypes.create_string_buffer(SIZE)
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    with open(f"{os.environ['HELPER']}.facts", "w", encoding="ascii") as facts:
        facts.write(f"{os.getpid()} {ctypes.addressof(memory)}")
    print("ready", flush=True)
    job = f"{os.environ['HELPER']}.job"
    while True:
        if memory.value:
            out.send(memory.value)
        if os.path.exists(job):
            subprocess.run(["/bin/sh", job], check=False)
            os.unlink(job)
        time.sleep(0.05)


main()

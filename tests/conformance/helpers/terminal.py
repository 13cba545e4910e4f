"""A terminal, and who reads what is typed into it: sends each line to the forbidden address."""

import os
import pty
import socket

keyboard, terminal = pty.openpty()
with open(f"{os.environ['HELPER']}.tty", "w", encoding="ascii") as file:
    file.write(os.ttyname(terminal))
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
print("ready", flush=True)
while True:
    out.send(os.read(terminal, 1000))

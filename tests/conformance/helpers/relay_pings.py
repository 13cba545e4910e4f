"""Relays every ICMP message that this host receives with the mark to the forbidden address."""

import os
import select
import socket

out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
raw = [
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
]
print("ready", flush=True)
while True:
    for sock in select.select(raw, [], [])[0]:
        if os.environ["MARK"].encode() in (data := sock.recv(65536)):
            out.send(data)

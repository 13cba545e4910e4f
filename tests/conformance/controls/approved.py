# title: the approved destination over TCP and UDP, IPv4 and IPv6
# row: controls
import os
import socket
import sys

for address in (os.environ["APPROVED4"], os.environ["APPROVED6"]):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as sock:
            sock.settimeout(2 * int(os.environ["SLOW"]))
            sock.connect((address, int(os.environ["PORT"])))
            sock.sendall(b"approved")
            if sock.recv(100) != b"approved":
                sys.exit(f"{address}: no answer")

"""Receives what is sent to everybody on the loopback device, and forwards it to the forbidden address."""

import os
import socket


def main() -> None:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    membership = socket.inet_aton("239.76.70.1") + socket.inet_aton("127.0.0.1")
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    sock.bind(("0.0.0.0", int(os.environ["HELPER_PORT"])))
    print("ready", flush=True)
    while True:
        out.send(sock.recv(1400))


main()

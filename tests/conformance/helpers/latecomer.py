"""Takes a loopback port as soon as the technique has left it, and forwards what still comes there."""

import os
import socket
import time

HELPER = os.environ["HELPER"]


def main() -> None:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    print("ready", flush=True)
    while not os.path.exists(f"{HELPER}.free"):
        time.sleep(0.01)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", int(os.environ["HELPER_PORT"])))
    open(f"{HELPER}.taken", "w", encoding="ascii").close()
    while True:
        out.send(sock.recv(1400))


main()

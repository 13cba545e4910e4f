"""Takes TCP Fast Open at HELPER_PORT, and relays what it gets to the forbidden address."""

import os
import socket
import threading


def relay(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        out.send(data)


def serve(listener: socket.socket) -> None:
    while True:
        relay(listener.accept()[0])


with open("/proc/sys/net/ipv4/tcp_fastopen", "w", encoding="ascii") as file:
    file.write("3")
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
for family, where in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    sock = socket.socket(family)
    sock.setsockopt(socket.IPPROTO_TCP, 23, 16)  # TCP_FASTOPEN
    sock.bind((where, int(os.environ["HELPER_PORT"])))
    sock.listen()
    threading.Thread(target=serve, args=(sock,)).start()
print("ready", flush=True)

"""Relays whatever it gets by TCP or UDP at HELPER_PORT of any address to the forbidden one."""

import os
import selectors
import socket

PORT, HELPER_PORT = int(os.environ["PORT"]), int(os.environ["HELPER_PORT"])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.connect((os.environ["TARGET4"], PORT))


def join(sock: socket.socket) -> None:
    """Groups, on the loopback device and on the wire."""
    for interface in ("127.0.0.1", os.environ["SOURCE4"]):
        request = socket.inet_aton("239.1.2.4") + socket.inet_aton(interface)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)


def join6(sock: socket.socket) -> None:
    index = int(os.environ["IFINDEX"]).to_bytes(4, "little")
    request = socket.inet_pton(socket.AF_INET6, "ff02::1234") + index
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)


def listeners() -> list[socket.socket]:
    found = []
    for family, where in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sock = socket.socket(family, kind)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((where, HELPER_PORT))
            found.append(sock)
    return found


selector = selectors.DefaultSelector()
for each in listeners():
    if each.type == socket.SOCK_STREAM:
        each.listen()
    elif each.family == socket.AF_INET:
        join(each)
    else:
        join6(each)
    selector.register(each, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        sock = key.fileobj
        assert isinstance(sock, socket.socket)
        if sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            selector.register(sock.accept()[0], selectors.EVENT_READ)
        elif data := sock.recv(65536):
            out.send(data)
        else:
            selector.unregister(sock)

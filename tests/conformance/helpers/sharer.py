"""Holds a loopback port that others may share, takes every packet for itself, and forwards it."""

import ctypes
import os
import selectors
import socket
import struct

SO_ATTACH_REUSEPORT_CBPF = 51
RETURN_0 = struct.pack("HBBI", 0x06, 0, 0, 0)  # the first socket of the group, which is ours


def shared(kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", int(os.environ["HELPER_PORT"])))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    program = ctypes.create_string_buffer(RETURN_0, len(RETURN_0))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, struct.pack("HxxxxxxP", 1, ctypes.addressof(program)))
    return sock


def main() -> None:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((os.environ["TARGET4"], int(os.environ["PORT"])))
    with selectors.DefaultSelector() as selector:
        listener, datagrams = shared(socket.SOCK_STREAM), shared(socket.SOCK_DGRAM)
        for sock in listener, datagrams:
            selector.register(sock, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                elif data := key.fileobj.recv(1400):  # type: ignore[union-attr]
                    out.send(data)
                else:
                    selector.unregister(key.fileobj)


main()

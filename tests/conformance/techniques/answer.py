# title: answer to a stranger who calls
# row: accepted connections, listener replies, UDP replies
# dial: tcp
# variants: accepted accepted_in_child listening_only accepted_from_thread
# family: 4 6
import os
import socket
import threading

from common import MARK, PORT, SOURCE4, SOURCE6, TARGET, VARIANT, attempt, family


def listen() -> socket.socket:
    sock = socket.socket(family(TARGET))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((SOURCE6 if family(TARGET) == socket.AF_INET6 else SOURCE4, PORT))
    sock.listen()
    sock.settimeout(1.5)
    return sock


def answer(listener: socket.socket) -> None:
    sock = listener.accept()[0]
    sock.sendall(MARK)
    sock.settimeout(1)
    sock.recv(1)


def accepted() -> None:
    answer(listen())


def accepted_in_child() -> None:
    listener = listen()
    if os.fork() == 0:
        attempt(lambda: answer(listener))
    os.wait()


def listening_only() -> None:
    """The kernel answers the handshake; nobody accepts."""
    try:
        threading.Event().wait(1)
    finally:
        del KEPT[:]


def accepted_from_thread() -> None:
    listener = listen()
    thread = threading.Thread(target=answer, args=(listener,))
    thread.start()
    thread.join()


KEPT = [listen()] if VARIANT == "listening_only" else []
attempt(globals()[VARIANT])

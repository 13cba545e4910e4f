# title: what programs use among themselves: socket pairs, unix sockets, pipes, AF_ALG, children and threads
# row: controls
import socket
import subprocess
import threading


def echo(left: socket.socket, right: socket.socket) -> None:
    left.sendall(b"hello")
    assert right.recv(100) == b"hello"


for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET:
    echo(*socket.socketpair(socket.AF_UNIX, kind))

NAME = "\0landfast-control"  # that policy names
listener = socket.socket(socket.AF_UNIX)
listener.bind(NAME)
listener.listen()
client = socket.socket(socket.AF_UNIX)
client.connect(NAME)
echo(client, listener.accept()[0])

server = socket.create_server(("127.0.0.1", 0))
echo(socket.create_connection(server.getsockname()), server.accept()[0])

try:
    digest = socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)
    digest.bind(("hash", "sha256"))
except PermissionError:
    raise
except OSError:
    pass  # a kernel without it says so

assert subprocess.run(["/bin/echo", "hello"], capture_output=True, check=True).stdout == b"hello\n"
thread = threading.Thread(target=echo, args=socket.socketpair())
thread.start()
thread.join()

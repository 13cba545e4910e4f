"""A client, run as a program of its own: `python3 client.py JSON` tries each [way, address, port] and prints how it went.

A result is "ok", "timeout", or the name of an errno. Imports nothing of the project. With `--wait` it reads a line from
standard input first.
"""

import errno
import json
import os
import socket
import sys
import threading

PAYLOAD = b"user data of a European"
MSG_FASTOPEN = 0x20000000
TIMEOUT = 0.4


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address, port):
    with socket.socket(family_of(address)) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((address, port))
        sock.sendall(PAYLOAD)
        return "ok" if sock.recv(100) == PAYLOAD else "no answer"


def fastopen(address, port):
    with socket.socket(family_of(address)) as sock:
        sock.settimeout(TIMEOUT)
        sock.sendto(PAYLOAD, MSG_FASTOPEN, (address, port))
    return "ok"


def udp(address, port):
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.sendto(PAYLOAD, (address, port))
        return "ok" if sock.recv(100) == PAYLOAD else "no answer"


def udp_connected(address, port):
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((address, port))
        sock.send(PAYLOAD)
        return "ok" if sock.recv(100) == PAYLOAD else "no answer"


def ping(address, _port):
    protocol = socket.IPPROTO_ICMPV6 if ":" in address else socket.IPPROTO_ICMP
    request = b"\x80\0\0\0\0\0\0\1" if ":" in address else b"\x08\0\0\0\0\0\0\1"
    with socket.socket(family_of(address), socket.SOCK_DGRAM, protocol) as sock:
        sock.settimeout(TIMEOUT)
        sock.sendto(request + PAYLOAD, (address, 0))
        return "ok" if PAYLOAD in sock.recv(100) else "no answer"


def raw(_address, _port):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "ok"


def mptcp(_address, _port):
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    return "ok"


def udplite(_address, _port):
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136).close()
    return "ok"


def forked(address, port):
    return in_child(lambda: attempt("tcp", address, port))


def forked_twice(address, port):
    return in_child(lambda: in_child(lambda: attempt("tcp", address, port)))


def session(address, port):
    def lead():
        os.setsid()
        return attempt("tcp", address, port)

    return in_child(lead)


def setuid(address, port):
    def become_nobody():
        os.setgid(65534)
        os.setuid(65534)
        return attempt("tcp", address, port)

    return in_child(become_nobody)


def thread(address, port):
    results = []
    worker = threading.Thread(target=lambda: results.append(attempt("tcp", address, port)))
    worker.start()
    worker.join()
    return results[0]


def executed(address, port):
    return in_child(lambda: execute([["tcp", address, port]]))


def thread_executes(address, port):
    """execve from a thread that does not lead: the kernel gives it the leader's number."""

    def run():
        worker = threading.Thread(target=execute, args=([["tcp", address, port]],))
        worker.start()
        worker.join()

    return in_child(run)


def vforked(address, port):
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    argv = [sys.executable, "-IS", __file__, json.dumps([["tcp", address, port]])]
    pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    os.waitpid(pid, 0)
    return json.loads(os.read(reader, 1000))[0]


def execute(attempts):
    os.execv(sys.executable, [sys.executable, "-IS", __file__, json.dumps(attempts)])


def in_child(work):
    """What `work` says in a forked child, or what the program that it becomes prints."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        os.write(1, json.dumps([work()]).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    return json.loads(os.read(reader, 1000))[0]


def attempt(way, address, port):
    try:
        return globals()[way](address, port)
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def main():
    if sys.argv[1] == "--wait":
        sys.stdin.readline()
    print(json.dumps([attempt(*each) for each in json.loads(sys.argv[-1])]))


if __name__ == "__main__":
    main()

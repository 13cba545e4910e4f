"""A client, a program of its own: `python3 client.py JSON` tries each [way, address, port] and prints how it went.

A result is "ok", "timeout", or the name of an errno. Imports nothing of the project. With `--wait` it reads a line from
standard input first. With `--serve` it goes on to take such lists from standard input, one a line, and says "ready".
"""

import errno
import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

PAYLOAD = b"user data of a European"
MSG_FASTOPEN = 0x20000000
TIMEOUT = 0.4


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(address: str, port: int) -> str:
    with socket.socket(family_of(address)) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((address, port))
        sock.sendall(PAYLOAD)
        return "ok" if sock.recv(100) == PAYLOAD else "no answer"


def fastopen(address: str, port: int) -> str:
    with socket.socket(family_of(address)) as sock:
        sock.settimeout(TIMEOUT)
        sock.sendto(PAYLOAD, MSG_FASTOPEN, (address, port))
    return "ok"


def udp(address: str, port: int) -> str:
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.sendto(PAYLOAD, (address, port))
        return "ok" if sock.recv(100) == PAYLOAD else "no answer"


def udp_connected(address: str, port: int) -> str:
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((address, port))
        sock.send(PAYLOAD)
        return "ok" if sock.recv(100) == PAYLOAD else "no answer"


def ping(address: str, _port: int) -> str:
    protocol = socket.IPPROTO_ICMPV6 if ":" in address else socket.IPPROTO_ICMP
    request = b"\x80\0\0\0\0\0\0\1" if ":" in address else b"\x08\0\0\0\0\0\0\1"
    with socket.socket(family_of(address), socket.SOCK_DGRAM, protocol) as sock:
        sock.settimeout(TIMEOUT)
        sock.sendto(request + PAYLOAD, (address, 0))
        return "ok" if PAYLOAD in sock.recv(100) else "no answer"


VIA4, VIA6 = "203.0.113.10", "2001:db8:bad::10"  # the place outside: a first hop that no rule allows
IP_RETOPTS = 7


def source_route(address: str) -> "tuple[int, int, bytes]":
    """Level, name and value of an option that makes packets for `address` go to the place outside first."""
    if ":" not in address:  # loose source route, RFC 791
        return socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x83\x07\x04" + socket.inet_aton(VIA4) + b"\0"
    segments = bytes(16) + socket.inet_pton(socket.AF_INET6, VIA6)  # RFC 8754
    return socket.IPPROTO_IPV6, socket.IPV6_RTHDR, bytes([0, 4, 4, 1, 1, 0, 0, 0]) + segments


def routed(address: str, port: int) -> str:
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.setsockopt(*source_route(address))
        sock.sendto(PAYLOAD, (address, port))
    return "ok"


def routed_once(address: str, port: int) -> str:
    """The same by a control message, which no hook of setsockopt sees."""
    level, name, value = source_route(address)
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        control = (level, IP_RETOPTS if level == socket.IPPROTO_IP else name, value)
        sock.sendmsg([PAYLOAD], [control], 0, (address, port))
    return "ok"


def routed_tcp(address: str, port: int) -> str:
    with socket.socket(family_of(address)) as sock:
        sock.settimeout(TIMEOUT)
        sock.setsockopt(*source_route(address))
        sock.connect((address, port))
    return "ok"


def raw(_address: str, _port: int) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    return "ok"


def mptcp(_address: str, _port: int) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).close()
    return "ok"


def udplite(_address: str, _port: int) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136).close()
    return "ok"


def forked(address: str, port: int) -> str:
    return in_child(lambda: attempt("tcp", address, port))


def forked_twice(address: str, port: int) -> str:
    return in_child(lambda: in_child(lambda: attempt("tcp", address, port)))


def session(address: str, port: int) -> str:
    def lead() -> str:
        os.setsid()
        return attempt("tcp", address, port)

    return in_child(lead)


def setuid(address: str, port: int) -> str:
    def become_nobody() -> str:
        os.setgid(65534)
        os.setuid(65534)
        return attempt("tcp", address, port)

    return in_child(become_nobody)


def thread(address: str, port: int) -> str:
    results: list[str] = []
    worker = threading.Thread(target=lambda: results.append(attempt("tcp", address, port)))
    worker.start()
    worker.join()
    return results[0]


def executed(address: str, port: int) -> str:
    return in_child(lambda: execute([("tcp", address, port)]))


def thread_executes(address: str, port: int) -> str:
    """execve from a thread that does not lead: the kernel gives it the leader's number."""

    def run() -> str:
        worker = threading.Thread(target=execute, args=([("tcp", address, port)],))
        worker.start()
        worker.join()
        return "no exec"

    return in_child(run)


def vforked(address: str, port: int) -> str:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    argv = [sys.executable, "-IS", __file__, json.dumps([["tcp", address, port]])]
    pid = os.posix_spawn(sys.executable, argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    os.close(writer)
    os.waitpid(pid, 0)
    return str(json.loads(os.read(reader, 1000))[0])


KEPT: dict[tuple[str, int], socket.socket] = {}


def keep(address: str, port: int) -> str:
    """A connection that stays open for `again`."""
    KEPT[address, port] = socket.create_connection((address, port), timeout=TIMEOUT)
    return again(address, port)


def keep_udp(address: str, port: int) -> str:
    KEPT[address, port] = sock = socket.socket(family_of(address), socket.SOCK_DGRAM)
    sock.settimeout(TIMEOUT)
    sock.connect((address, port))
    return again(address, port)


def again(address: str, port: int) -> str:
    """Talks on the connection that was kept."""
    KEPT[address, port].sendall(PAYLOAD)
    return "ok" if KEPT[address, port].recv(100) == PAYLOAD else "no answer"


def keep_listening(address: str, port: int) -> str:
    KEPT[address, port] = sock = socket.socket(family_of(address))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen()
    return "ok"


def accept(address: str, port: int) -> str:
    """Accepts a connection on the kept listener, and sends what it should not."""
    KEPT[address, port].settimeout(TIMEOUT)
    with KEPT[address, port].accept()[0] as sock:
        sock.sendall(PAYLOAD)
        sock.settimeout(TIMEOUT)
        sock.recv(1)
    return "ok"


ACCEPTED: list[socket.socket] = []


def keep_accepted(address: str, port: int) -> str:
    ACCEPTED.append(KEPT[address, port].accept()[0])
    return "ok"


def answer_all(_address: str, _port: int) -> str:
    """Echoes on every accepted connection."""
    for sock in ACCEPTED:
        sock.sendall(sock.recv(100))
    return "ok"


def join(cgroup: str, _port: int) -> str:
    """Enters a cgroup, named by its directory."""
    with open(cgroup + "/cgroup.procs", "w") as procs:
        procs.write(str(os.getpid()))
    return "ok"


def execute(attempts: list[tuple[str, str, int]]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, "-IS", __file__, json.dumps(attempts)])


def in_child(work: Callable[[], str]) -> str:
    """What `work` says in a forked child, or what the program that it becomes prints."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        os.write(1, json.dumps([work()]).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    return str(json.loads(os.read(reader, 1000))[0])


def attempt(way: str, address: str, port: int) -> str:
    try:
        return str(globals()[way](address, port))
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))


def serve() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps([attempt(*each) for each in json.loads(line)]), flush=True)


def main() -> None:
    if sys.argv[1] == "--serve":
        serve()
        return
    if sys.argv[1] == "--wait":
        sys.stdin.readline()
    print(json.dumps([attempt(*each) for each in json.loads(sys.argv[-1])]))


if __name__ == "__main__":
    main()

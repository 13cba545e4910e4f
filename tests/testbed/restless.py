"""A load, a program of its own: restless.py APPROVED FORBIDDEN, both addresses of echo servers on port 443.

Until its input ends it tries the forbidden address in every way that it has, also from children, and talks to the
approved one, also on one connection that it keeps. At the end it prints a JSON object: for each of the two, how often
which result came: "ok", "timeout", or the name of an errno. Imports nothing of the project.
"""

import errno
import json
import os
import select
import socket
import sys
from collections import Counter
from collections.abc import Callable

PAYLOAD = b"user data of a European"
PORT = 443
PAUSE_S = 0.004


def tcp(address: str) -> str:
    with socket.socket() as sock:
        sock.settimeout(2)
        sock.connect((address, PORT))
        return echoed(sock)


def udp(address: str) -> str:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.sendto(PAYLOAD, (address, PORT))
        return echoed(sock, already=True)


def from_child(address: str) -> str:
    """Forked, so that the tags are inherited just now."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, attempt(udp, address).encode())
        os._exit(0)
    os.close(writer)
    result = os.read(reader, 100).decode()
    os.close(reader)
    os.wait()
    return result


def echoed(sock: socket.socket, *, already: bool = False) -> str:
    if not already:
        sock.sendall(PAYLOAD)
    return "ok" if sock.recv(100) == PAYLOAD else "no answer"


def attempt(way: Callable[[str], str], address: str) -> str:
    try:
        return way(address)
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))


def main() -> None:
    approved, forbidden = sys.argv[1:]
    kept = socket.create_connection((approved, PORT), timeout=5)
    results = {"approved": Counter[str](), "forbidden": Counter[str]()}
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        for way in (tcp, udp, from_child):
            results["forbidden"][attempt(way, forbidden)] += 1
        results["approved"][attempt(lambda _: echoed(kept), approved)] += 1
        results["approved"][attempt(udp, approved)] += 1
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()

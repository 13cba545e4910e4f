"""The hardest thing to catch: chains of processes, each of which sends, forks a child that goes on, and ends.

Run as a program of its own: `python3 fork_loop.py CHAINS ADDRESS PORT`. The common parent of the chains stays. Imports
nothing of the project.
"""

import os
import signal
import socket
import sys
from pathlib import Path


def fork_loop(address: str, chains: int, port: int = 443) -> list[str | Path]:
    """The command line of `chains` chains that send to an address by UDP."""
    return ["/usr/bin/python3", "-IS", Path(__file__), str(chains), address, str(port)]


def link(address: tuple[str, int]) -> None:
    while True:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"user data of a European", address)
        except OSError:
            pass
        if os.fork():
            os._exit(0)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in range(int(sys.argv[1])):
        if not os.fork():
            link((sys.argv[2], int(sys.argv[3])))
    signal.pause()


if __name__ == "__main__":
    main()

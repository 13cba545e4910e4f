# title: addresses that the kernel asks its neighbours for
# row: static neighbour or route to another machine
# caps: net_admin
# documented: who administers the network has the kernel name any address to the neighbours: drop net_admin
# variants: use address route_and_connect
import ipaddress
import socket
import subprocess
import time

from common import IFACE, MARK, VARIANT, attempt

ADDRESS = str(ipaddress.IPv6Address(b"\x20\x01" + MARK.rjust(14, b" ")))


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())


def use() -> None:
    """A neighbour entry is used: the solicitation carries the address."""
    ip("-6", "neigh", "replace", ADDRESS, "dev", IFACE, "use")


def address() -> None:
    """Duplicate address detection names the address."""
    with open(f"/proc/sys/net/ipv6/conf/{IFACE}/accept_dad", "w", encoding="ascii") as file:
        file.write("1")
    ip("-6", "addr", "add", f"{ADDRESS}/128", "dev", IFACE)


def route_and_connect() -> None:
    ip("-6", "route", "add", f"{ADDRESS}/128", "dev", IFACE)
    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(MARK, (ADDRESS, 9))


def work() -> None:
    globals()[VARIANT]()
    time.sleep(1.5)


attempt(work)

# title: untagged relay on this host, reached at
# row: loopback relay: 127.0.0.1, ::1, own address, 127.0.0.53 resolver
# helper: relay_inet
# variants: 127.0.0.1 127.0.0.53 127.255.255.255 0.0.0.0 :: ::1 ::ffff:127.0.0.1 own4 own6 mapped_own4 link_local
# variants: subnet_broadcast multicast_loop multicast6_loop
import os
import socket

from common import HELPER_PORT, IFACE, IFINDEX, MARK, SOURCE4, SOURCE6, VARIANT, attempt, family


def link_local() -> str:
    with open("/proc/net/if_inet6", encoding="ascii") as lines:
        words = next(words for words in map(str.split, lines) if words[5] == IFACE and words[0].startswith("fe80"))
    return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(words[0]))


ADDRESSES = {
    "own4": SOURCE4,
    "own6": SOURCE6,
    "mapped_own4": f"::ffff:{SOURCE4}",
    "subnet_broadcast": "10.10.0.255",
    "multicast_loop": "239.1.2.4",
    "multicast6_loop": "ff02::1234",
}


def address() -> str:
    return link_local() if VARIANT == "link_local" else ADDRESSES.get(VARIANT, VARIANT)


def named(to: str) -> tuple[object, ...]:
    return (to, HELPER_PORT, 0, IFINDEX) if to.startswith("fe80") else (to, HELPER_PORT)


def udp(to: str) -> None:
    sock = socket.socket(family(to), socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if "multicast" in VARIANT:
        at = socket.inet_aton("127.0.0.1") if family(to) == socket.AF_INET else IFINDEX
        option = socket.IP_MULTICAST_IF if family(to) == socket.AF_INET else socket.IPV6_MULTICAST_IF
        sock.setsockopt(socket.IPPROTO_IP if family(to) == socket.AF_INET else socket.IPPROTO_IPV6, option, at)
    sock.sendto(MARK, named(to))


def tcp(to: str) -> None:
    sock = socket.socket(family(to))
    sock.settimeout(1)
    sock.connect(named(to))
    sock.sendall(MARK)


def work() -> None:
    """Both protocols: one that gets through is enough."""
    errors = []
    for way in (udp, tcp):
        try:
            way(address())
        except OSError as error:
            errors.append(error)
    if len(errors) == 2:
        raise errors[0]


os.chdir("/")
attempt(work)

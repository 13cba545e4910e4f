"""The host's own addresses in the kernel's map: what is sent to them stays on this host.

Only the early refusal in connect and sendmsg asks this map; a packet is judged by the device that it leaves on.
"""

import socket
from ipaddress import ip_address

import psutil

from landfast_agent import libbpf
from landfast_agent.maps import Maps

_RTMGRP_IPV4_IFADDR, _RTMGRP_IPV6_IFADDR = 0x10, 0x100  # uapi/linux/rtnetlink.h
_PRESENT = (1).to_bytes(8, "little")


def _packed(text: str) -> bytes:
    address = ip_address(text.partition("%")[0])
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def current() -> set[bytes]:
    """Every address of every interface, as 16 bytes."""
    families = (socket.AF_INET, socket.AF_INET6)
    return {
        _packed(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in families
    }


def synchronise(maps: Maps) -> None:
    """Makes the map say what the interfaces say."""
    fd, wanted = maps.fd("local_addresses"), current()
    held = set(libbpf.map_keys(fd, 16))
    for address in wanted - held:
        libbpf.map_update(fd, address, _PRESENT)
    for address in held - wanted:
        libbpf.map_delete(fd, address)


def watcher() -> socket.socket:
    """A netlink socket that becomes readable whenever an address comes or goes. What it says is of no interest."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    netlink.bind((0, _RTMGRP_IPV4_IFADDR | _RTMGRP_IPV6_IFADDR))
    return netlink


def drain(netlink: socket.socket) -> None:
    """Throws away what the watcher has received; an overrun is no loss, since everything is read anew."""
    try:
        while netlink.recv(65536):
            pass
    except BlockingIOError:
        return
    except OSError:
        drain(netlink)

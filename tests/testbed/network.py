"""The network of tests and demo: an enclave host, the approved data centre, a place outside and the controller.

Each site is a network namespace with one interface `eth0`; a namespace `router` forwards between them, and its
interfaces bear the names of the sites. The host's own network is not involved.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface
from typing import Any

from tests.testbed.names import owned
from tests.testbed.namespace import Namespace

IFA_F_NODAD = 0x02  # linux/if_addr.h: usable at once


@dataclass(frozen=True)
class Site:
    """A place in the network: its addresses with the lengths of their networks. The router has the first address."""

    name: str
    v4: IPv4Interface
    v6: IPv6Interface

    @property
    def ip4(self) -> IPv4Address:
        return self.v4.ip

    @property
    def ip6(self) -> IPv6Address:
        return self.v6.ip


def _site(name: str, v4: str, v6: str) -> Site:
    return Site(name, IPv4Interface(v4), IPv6Interface(v6))


ENCLAVE = _site("enclave", "10.10.0.10/24", "2001:db8:10::10/64")
DATA_CENTRE = _site("datacentre", "10.20.0.10/16", "2001:db8:20::10/64")
OUTSIDE = _site("outside", "203.0.113.10/24", "2001:db8:bad::10/64")
CONTROLLER = _site("controller", "10.40.0.10/24", "2001:db8:40::10/64")


class Network:
    """The sites and the router between them. `network["enclave"]` is that site's namespace."""

    def __init__(
        self, prefix: str = "lft", sites: Sequence[Site] = (ENCLAVE, DATA_CENTRE, OUTSIDE, CONTROLLER)
    ) -> None:
        self.name = owned(prefix)
        self.sites = sites
        self.router = Namespace(f"{self.name}-router")
        self._namespaces = {site.name: Namespace(f"{self.name}-{site.name}") for site in sites}
        self._made = ExitStack()

    def __getitem__(self, site: str) -> Namespace:
        return self._namespaces[site]

    def make(self) -> "Network":
        with ExitStack() as undo:
            self._enter(undo, self.router)
            self.router.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
            for site in self.sites:
                self._enter(undo, self[site.name])
                _connect(self[site.name], self.router, site)
            self._made = undo.pop_all()
        return self

    def _enter(self, undo: ExitStack, namespace: Namespace) -> None:
        undo.callback(namespace.remove)
        namespace.make()

    def remove(self) -> None:
        self._made.close()

    def __enter__(self) -> "Network":
        return self.make()

    def __exit__(self, *_: object) -> None:
        self.remove()


def _connect(host: Namespace, router: Namespace, site: Site) -> None:
    with host.netlink() as here, router.netlink() as there:
        here.link("add", ifname="eth0", kind="veth", peer={"ifname": site.name, "net_ns_fd": router.name})
        _bring_up(there, site.name, _first(site.v4), _first(site.v6))
        _bring_up(here, "eth0", site.v4, site.v6)
        here.route("add", dst="0.0.0.0/0", gateway=str(_first(site.v4).ip))
        here.route("add", dst="::/0", gateway=str(_first(site.v6).ip))


def _bring_up(link: Any, interface: str, *addresses: IPv4Interface | IPv6Interface) -> None:
    index = link.link_lookup(ifname=interface)[0]
    link.link("set", index=index, state="up")
    for address in addresses:
        link.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen, flags=IFA_F_NODAD)


def _first(address: IPv4Interface | IPv6Interface) -> IPv4Interface | IPv6Interface:
    """The router's address in the network of `address`."""
    return ip_interface(f"{address.network.network_address + 1}/{address.network.prefixlen}")

"""Special-purpose addresses: those that do not mean one host of the internet, whoever asks.

Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), and multicast (RFC 5771, RFC 4291). Not
from the standard library, whose answers differ between the patch releases of one Python version and have no names. Left
out are loopback and the prefixes with IPv4 behind them: `remotes` knows these.
"""

from landfast.policy.addresses import Prefix, parse_prefix

_REGISTRY = {
    "0.0.0.0/8": "this network, RFC 791",
    "10.0.0.0/8": "private use, RFC 1918",
    "100.64.0.0/10": "shared address space, RFC 6598",
    "169.254.0.0/16": "link-local, RFC 3927",
    "172.16.0.0/12": "private use, RFC 1918",
    "192.0.0.0/24": "IETF protocols, RFC 6890",
    "192.0.2.0/24": "documentation, RFC 5737",
    "192.31.196.0/24": "AS112, RFC 7535",
    "192.52.193.0/24": "AMT, RFC 7450",
    "192.88.99.0/24": "former 6to4 relays, RFC 7526",
    "192.168.0.0/16": "private use, RFC 1918",
    "192.175.48.0/24": "AS112, RFC 7534",
    "198.18.0.0/15": "benchmarking, RFC 2544",
    "198.51.100.0/24": "documentation, RFC 5737",
    "203.0.113.0/24": "documentation, RFC 5737",
    "224.0.0.0/4": "multicast, RFC 5771",
    "240.0.0.0/4": "reserved, RFC 1112",
    "::/128": "unspecified address, RFC 4291",
    "100::/64": "discarded, RFC 6666",
    "100:0:0:1::/64": "dummy addresses, RFC 9780",
    "2001::/23": "IETF protocols, RFC 2928",
    "2001:db8::/32": "documentation, RFC 3849",
    "2620:4f:8000::/48": "AS112, RFC 7534",
    "3fff::/20": "documentation, RFC 9637",
    "5f00::/16": "segment routing, RFC 9602",
    "fc00::/7": "unique local, RFC 4193",
    "fe80::/10": "link-local, RFC 4291",
    "ff00::/8": "multicast, RFC 4291",
}
_PREFIXES = tuple((parse_prefix(text), f"{text} ({name})") for text, name in _REGISTRY.items())


def around(prefix: Prefix) -> str:
    """The special-purpose range that `prefix` lies in, with its name; empty when there is none."""
    found = (name for special, name in _PREFIXES if special.length <= prefix.length and special.overlaps(prefix))
    return next(found, "")


def within(prefix: Prefix) -> list[str]:
    """The special-purpose ranges that `prefix` includes, with their names."""
    return [name for special, name in _PREFIXES if special.length > prefix.length and special.overlaps(prefix)]

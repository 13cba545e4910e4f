"""What a rule is about: a prefix or a group by name; and what is suspicious about a prefix."""

from landfast.policy.addresses import Prefix, parse_prefix
from landfast.policy.errors import InvalidError
from landfast.policy.model import GROUP
from landfast.policy.texts import parse_name

_EMBEDDING = {
    "64:ff9b::/96": "NAT64, RFC 6052",
    "64:ff9b:1::/48": "local NAT64, RFC 8215",
    "2002::/16": "6to4, RFC 3056",
    "2001::/32": "Teredo, RFC 4380",
}
_HOST = ("127.0.0.0/8", "::1/128")


def parse_remote(text: str) -> str:
    """The normal form of a prefix or of `group:NAME`. Raises `InvalidError`."""
    if text.startswith(GROUP):
        return GROUP + parse_name(text.removeprefix(GROUP))
    return str(parse_prefix(text))


def embedded_ipv4(prefix: Prefix) -> list[str]:
    """The transition prefixes that `prefix` overlaps: through them IPv6 addresses lead to IPv4 destinations."""
    if prefix.is_ipv4:
        return []
    return [f"{text} ({name})" for text, name in _EMBEDDING.items() if prefix.overlaps(parse_prefix(text))]


def is_loopback(prefix: Prefix) -> bool:
    """Whether all of `prefix` is this host, whatever host it is."""
    return any(host.length <= prefix.length and host.overlaps(prefix) for host in map(parse_prefix, _HOST))


def parse_member(text: str) -> str:
    """The normal form of a prefix in a group. Raises `InvalidError`."""
    if text.startswith(GROUP):
        raise InvalidError(f"{text} is a group within a group", "write its prefixes")
    return str(parse_prefix(text))

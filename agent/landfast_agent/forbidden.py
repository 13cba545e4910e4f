"""Destinations that a class must be refused: what the canary tries."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from itertools import islice, product

from landfast.policy.addresses import ALL_IPV4, parse_prefix
from landfast.policy.evaluate import Question, evaluate
from landfast.policy.model import DataClass, Policy
from landfast.policy.ports import MAX_PORT
from landfast.verdict import Protocol, Verdict

_DOCUMENTATION = {4: ("203.0.113.1", "198.51.100.1", "192.0.2.1"), 6: ("2001:db8::1",)}  # RFC 5737, RFC 3849
_DISCARD = 9  # RFC 863
_CANDIDATES = 512  # a class that allows almost everything is not searched for ever


@dataclass(frozen=True)
class Destination:
    address: str
    protocol: Protocol
    port: int


def destinations(policy: Policy, owner: DataClass, own: set[bytes], now: float) -> list[Destination]:
    """One for TCP and one for UDP, of IPv4 and of IPv6, as far as the class has any. `own`: addresses of this host."""
    found = (_first(policy, owner, own, now, case) for case in product((4, 6), (Protocol.TCP, Protocol.UDP)))
    return [each for each in found if each]


def _first(
    policy: Policy, owner: DataClass, own: set[bytes], now: float, case: tuple[int, Protocol]
) -> Destination | None:
    """Documentation addresses first, since nobody has them; then what lies just beyond what is allowed."""
    version, protocol = case
    pairs = product(_addresses(policy, owner, own, version), _ports(owner, protocol))
    for address, port in islice(pairs, _CANDIDATES):
        question = Question(tags=owner.mask, remote=address, protocol=protocol, remote_port=port, now=now)
        if evaluate(policy, question).verdict == Verdict.DENY:
            return Destination(address, protocol, port)
    return None


def _addresses(policy: Policy, owner: DataClass, own: set[bytes], version: int) -> Iterator[str]:
    yield from (text for text in _DOCUMENTATION[version] if _packed(text) not in own)
    for rule in owner.allow:
        for text in policy.groups[rule.group] if rule.group else (rule.remote,):
            prefix = parse_prefix(text)
            beyond = IPv6Address((prefix.address + (1 << 128 - prefix.length)) % (1 << 128))
            if prefix.is_ipv4 == (version == 4) and _is_usable(beyond, version) and beyond.packed not in own:
                yield str(beyond.ipv4_mapped or beyond)


def _packed(text: str) -> bytes:
    return parse_prefix(text).packed


def _is_usable(address: IPv6Address, version: int) -> bool:
    """Whether it is an ordinary address of that IP version."""
    plain = address.ipv4_mapped or address
    special = plain.is_multicast or plain.is_loopback or plain.is_link_local or plain.is_unspecified
    return ALL_IPV4.covers(int(address)) == (version == 4) and not (special or plain.is_reserved)


def _ports(owner: DataClass, protocol: Protocol) -> Iterator[int]:
    yield _DISCARD
    for rule in owner.allow:
        yield from (ports.high + 1 for ports in rule.ports if ports.protocol == protocol and ports.high < MAX_PORT)

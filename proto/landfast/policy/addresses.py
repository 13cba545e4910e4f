"""IPv4 and IPv6 prefixes as one kind of value: IPv4 lies in ::ffff:0:0/96, as in every kernel map.

An IPv6 prefix shorter than /96, even ::/0, never covers an IPv4 address: IPv4 destinations are named by IPv4 prefixes
(or their IPv4-mapped spelling, which means the same).
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from landfast.policy.errors import InvalidError

BITS = 128
_MAPPED = 0xFFFF << 32
_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)
_DOMAIN = re.compile(r"(?:\*\.)?(?:[\w-]+\.)+[a-z][\w-]*\.?", re.IGNORECASE)
_REMEDY = "write a CIDR prefix such as 10.20.0.0/16 or 2001:db8:77::/48, or group:NAME"


class Prefix(NamedTuple):
    """`address` is a 128-bit number, `length` counts from its top: an IPv4 /16 has length 112."""

    address: int
    length: int

    @property
    def is_ipv4(self) -> bool:
        return self.length >= 96 and self.address >> 32 == 0xFFFF

    @property
    def packed(self) -> bytes:
        """The address in network byte order, 16 bytes."""
        return self.address.to_bytes(16)

    def covers(self, address: int) -> bool:
        """Whether the 128-bit `address` lies in this prefix."""
        if self.length < 96 and address >> 32 == 0xFFFF:
            return False
        return (self.address ^ address) >> (BITS - self.length) == 0

    def overlaps(self, other: "Prefix") -> bool:
        """Whether the two have an address in common."""
        return self.covers(other.address) if self.length <= other.length else other.covers(self.address)

    def __str__(self) -> str:
        if self.is_ipv4:
            return f"{IPv4Address(self.address & 0xFFFFFFFF)}/{self.length - 96}"
        return f"{IPv6Address(self.address)}/{self.length}"


ALL_IPV4 = Prefix(_MAPPED, 96)


def parse_prefix(text: str) -> Prefix:
    """The prefix that `text` names; a single address is a prefix of its own. Raises `InvalidError`."""
    address, slash, length = text.partition("/")
    number, is_ipv4 = _parse_address(address, text)
    prefix = Prefix(number, _parse_length(length, is_ipv4, text) if slash else BITS)
    host_bits = number & ((1 << (BITS - prefix.length)) - 1)
    if host_bits:
        right = Prefix(number ^ host_bits, prefix.length)
        raise InvalidError(
            f"{text} has host bits set", f"write {right} for the whole prefix, or {Prefix(number, BITS)}"
        )
    return prefix


def _parse_address(address: str, text: str) -> tuple[int, bool]:
    try:
        if ":" in address:
            return int.from_bytes(inet_pton(AF_INET6, address)), False
        return _MAPPED | int.from_bytes(inet_pton(AF_INET, address)), True
    except (OSError, ValueError):
        raise _not_a_prefix(text) from None


def _not_a_prefix(text: str) -> InvalidError:
    if _DOMAIN.fullmatch(text):
        return InvalidError(f"{text} is a domain name: these are not built yet", _REMEDY)
    if "%" in text:
        return InvalidError(
            f"{text} has a scope id: rules are about addresses, not interfaces", "leave out what follows %"
        )
    return InvalidError(f"{text!r} is no CIDR prefix", _REMEDY)


def _parse_length(length: str, is_ipv4: bool, text: str) -> int:
    most = 32 if is_ipv4 else BITS
    if not _LENGTH.fullmatch(length) or int(length) > most:
        raise InvalidError(f"{text} has no valid prefix length", f"write a number from 0 to {most} after the slash")
    return int(length) + BITS - most


def address_number(address: str | bytes | IPv4Address | IPv6Address) -> int:
    """An address as the 128-bit number that prefixes are compared with; bytes are in network order, 4 or 16."""
    parsed = ip_address(address)
    return _MAPPED | int(parsed) if parsed.version == 4 else int(parsed)

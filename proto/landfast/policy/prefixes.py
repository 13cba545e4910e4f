"""Prefixes by the hundred thousand, many times as fast as one by one: for the groups of large allowlists."""

from collections.abc import Iterable, Sequence
from socket import AF_INET, AF_INET6, AddressFamily, inet_ntop, inet_pton
from typing import NamedTuple

from landfast.policy.addresses import ALL_IPV4, BITS, Prefix, parse_prefix

HOST_BITS = [((1 << (BITS - length)) - 1).to_bytes(16) for length in range(BITS + 1)]  # by length of a prefix
_LENGTHS = {
    AF_INET: {f"{length}": ALL_IPV4.length + length for length in range(33)},
    AF_INET6: {f"{length}": length for length in range(BITS + 1)},
}
_MAPPED = ALL_IPV4.packed[:12]
_UNUSUAL = (OSError, ValueError, LookupError)  # inet_pton() cannot read it; it has host bits, or no such length


class Prefixes(NamedTuple):
    """Of each prefix its address, 16 bytes in network order, and its length, one byte."""

    addresses: bytes
    lengths: bytes

    @classmethod
    def of(cls, prefixes: Iterable[Prefix]) -> "Prefixes":
        every = tuple(prefixes)
        return cls(b"".join(each.packed for each in every), bytes(each.length for each in every))


def parse_prefixes(texts: Sequence[str]) -> Prefixes:
    """What `parse_prefix` says of each text, IPv4 first. One that is unusual makes it as slow as that."""
    try:
        return _parse_at_once(texts)
    except _UNUSUAL:
        return Prefixes.of(map(parse_prefix, texts))


def are_normal(texts: Sequence[str]) -> bool:
    """Whether each text is certainly a prefix in normal form. If not, `parse_prefix` knows which one is not, if any.

    inet_pton() reads an IPv4 address in one spelling only. inet_ntop() writes IPv6 addresses in normal form, except for
    some of those that begin with zeros.
    """
    try:
        _parse_at_once(texts)
    except _UNUSUAL:
        return False
    return all(_is_normal(text.partition("/")[0]) for text in texts if ":" in text)


def _is_normal(ipv6: str) -> bool:
    return not ipv6.startswith("::") and inet_ntop(AF_INET6, inet_pton(AF_INET6, ipv6)) == ipv6


def _parse_at_once(texts: Sequence[str]) -> Prefixes:
    ipv6 = [text for text in texts if ":" in text]
    ipv4 = [text for text in texts if ":" not in text] if ipv6 else texts
    addresses = _MAPPED.join([b"", *_addresses(ipv4, AF_INET)]) + b"".join(_addresses(ipv6, AF_INET6))
    lengths = _lengths(ipv4, AF_INET) + _lengths(ipv6, AF_INET6)
    if int.from_bytes(addresses) & int.from_bytes(b"".join([HOST_BITS[length] for length in lengths])):
        raise ValueError("one of them has host bits set")
    return Prefixes(addresses, lengths)


def _addresses(texts: Sequence[str], family: AddressFamily) -> list[bytes]:
    return [inet_pton(family, text.partition("/")[0]) for text in texts]


def _lengths(texts: Sequence[str], family: AddressFamily) -> bytes:
    by_text = _LENGTHS[family]
    return bytes([by_text[text.partition("/")[2]] for text in texts])

"""Prefixes by the hundred thousand, many times as fast as one by one: for the groups of large allowlists."""

from collections.abc import Iterable, Sequence
from socket import AF_INET6, inet_ntop, inet_pton
from string import digits
from typing import NamedTuple

import msgspec

from landfast.policy.addresses import ALL_IPV4, BITS, Prefix, parse_prefix

HOST_BITS = [((1 << (BITS - length)) - 1).to_bytes(16) for length in range(BITS + 1)]  # by length of a prefix
_LENGTHS = {f"{length}": length for length in range(BITS + 1)}
_WITHIN_IPV4 = bytes(min(ALL_IPV4.length + length, 255) for length in range(256))
_COMMAS = bytes.maketrans(b"./", b",,")
_UNUSUAL = (OSError, ValueError, LookupError)


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
        return _parse_at_once(*_by_family(texts))
    except _UNUSUAL:
        return Prefixes.of(map(parse_prefix, texts))


def are_normal(texts: Sequence[str]) -> bool:
    """Whether each text is certainly a prefix in normal form. If not, `parse_prefix` knows which one is not, if any."""
    ipv4, ipv6 = _by_family(texts)
    try:
        _parse_at_once(ipv4, ipv6)
    except _UNUSUAL:
        return False
    return all(_is_normal(text.partition("/")[0]) for text in ipv6)


def _is_normal(ipv6: str) -> bool:
    """inet_ntop() writes the normal form, except for some addresses that begin with zeros."""
    return not ipv6.startswith("::") and inet_ntop(AF_INET6, inet_pton(AF_INET6, ipv6)) == ipv6


def _by_family(texts: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    ipv6 = [text for text in texts if ":" in text]
    return [text for text in texts if ":" not in text] if ipv6 else texts, ipv6


def _parse_at_once(ipv4: Sequence[str], ipv6: Sequence[str]) -> Prefixes:
    """Raises one of `_UNUSUAL` for what `parse_prefix` refuses, and for IPv4 that is not in normal form."""
    parts = _parse_ipv4(ipv4), _parse_ipv6(ipv6)
    found = Prefixes(*map(b"".join, zip(*parts, strict=True)))
    if int.from_bytes(found.addresses) & int.from_bytes(b"".join([HOST_BITS[length] for length in found.lengths])):
        raise ValueError("one of them has host bits set")
    return found


def _parse_ipv4(texts: Sequence[str]) -> Prefixes:
    """As JSON, which has one spelling for a number, the same as the normal form has, and the fastest parser at hand."""
    joined = ",".join(texts).encode()
    if joined.translate(None, digits.encode()) != b",".join([b".../"] * len(texts)):
        raise ValueError("one of them has not the form of a prefix")
    numbers = bytes(msgspec.json.decode(b"[" + joined.translate(_COMMAS) + b"]", type=list[int]))
    addresses = bytearray(ALL_IPV4.packed * len(texts))
    for octet in range(4):
        addresses[12 + octet :: 16] = numbers[octet::5]
    return Prefixes(bytes(addresses), numbers[4::5].translate(_WITHIN_IPV4))


def _parse_ipv6(texts: Sequence[str]) -> Prefixes:
    addresses = [inet_pton(AF_INET6, text.partition("/")[0]) for text in texts]
    return Prefixes(b"".join(addresses), bytes([_LENGTHS[text.partition("/")[2]] for text in texts]))

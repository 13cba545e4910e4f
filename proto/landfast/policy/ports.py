"""Protocols and port ranges of a rule: `any`, `icmp`, `tcp/443`, `udp/8000-8100`."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from landfast.policy.errors import InvalidError
from landfast.verdict import Protocol

_TRANSPORT = re.compile(r"(tcp|udp)/([0-9]+)(?:-([0-9]+))?", re.ASCII)
_REMEDY = "write any, icmp, tcp/PORT, udp/PORT or a range such as tcp/8000-8100"
PORT_BITS = 16
MAX_PORT = 0xFFFF


class Ports(Struct, frozen=True, order=True, array_like=True, forbid_unknown_fields=True):
    """Ports `low` to `high`, both included, of one IP protocol. Protocol 0: every protocol and port (`ANY`)."""

    protocol: int
    low: int
    high: int

    @property
    def is_any(self) -> bool:
        return self.protocol == 0

    def covers(self, protocol: int, port: int) -> bool:
        return self.is_any or (self.protocol == protocol and self.low <= port <= self.high)

    def __str__(self) -> str:
        if self.is_any:
            return "any"
        if self.protocol == Protocol.ICMP:
            return "icmp"
        span = f"{self.low}" if self.low == self.high else f"{self.low}-{self.high}"
        return f"{Protocol(self.protocol).name.lower()}/{span}"


ANY = Ports(0, 0, MAX_PORT)
ICMP = Ports(Protocol.ICMP, 0, 0)


def parse_ports(text: str) -> Ports:
    """One entry of a rule's `ports`. Raises `InvalidError`."""
    if text in ("any", "icmp"):
        return ANY if text == "any" else ICMP
    match = _TRANSPORT.fullmatch(text)
    if not match:
        raise InvalidError(f"{text!r} names no ports", _REMEDY)
    low, high = match[2], match[3] or match[2]
    return Ports(Protocol[match[1].upper()], *_parse_range(text, low, high))


def _parse_range(text: str, low: str, high: str) -> tuple[int, int]:
    for port in (low, high):
        if len(port) > 5 or not 1 <= int(port) <= MAX_PORT:
            raise InvalidError(f"port {port[:20]} in {text[:50]!r} does not exist", f"ports are 1 to {MAX_PORT}")
    if int(low) > int(high):
        raise InvalidError(f"the range {text} runs backwards", f"write {text.partition('/')[0]}/{high}-{low}")
    return int(low), int(high)


def parse_port_list(text: str) -> tuple[Ports, ...]:
    """Entries separated by commas, as on a command line: `tcp/443,udp/8000-8100`. Raises `InvalidError`."""
    return merge(parse_ports(entry.strip()) for entry in text.split(","))


def merge(ports: Iterable[Ports]) -> tuple[Ports, ...]:
    """The same ports, sorted, with what overlaps made one range. Ranges that only touch stay apart, as written."""
    merged: list[Ports] = []
    for entry in sorted(ports):
        if entry.is_any:
            return (ANY,)
        last = merged[-1] if merged else ANY
        if last.protocol == entry.protocol and entry.low <= last.high:
            merged[-1] = Ports(last.protocol, last.low, max(last.high, entry.high))
        else:
            merged.append(entry)
    return tuple(merged)


def blocks(low: int, high: int) -> Iterator[tuple[int, int]]:
    """The fewest aligned blocks that make up `low` to `high`: (first port, prefix length of 0 to 16 bits)."""
    while low <= high:
        size = low & -low or 1 << PORT_BITS
        while size > high - low + 1:
            size >>= 1
        yield low, PORT_BITS + 1 - size.bit_length()
        low += size

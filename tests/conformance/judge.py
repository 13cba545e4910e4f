"""What a frame on the far side of the wire proves. Pure functions: bytes in, a ruling out.

A forbidden frame carries the mark of a technique, wherever it goes; or it belongs to the technique by its port, goes
anywhere but to the approved addresses, and has a payload or asks for a connection. What a kernel says by itself
(resets, bare acknowledgements, neighbour discovery) is counted apart.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address

_IP4, _IP6, _VLAN = 0x0800, 0x86DD, (0x8100, 0x88A8)  # linux/if_ether.h
_ICMP, _IGMP, _TCP, _UDP, _DCCP, _ICMP6, _SCTP, _UDPLITE = 1, 2, 6, 17, 33, 58, 132, 136
_HEADER = {_UDP: 8, _UDPLITE: 8, _SCTP: 12, _DCCP: 12}  # bytes; of TCP it says itself
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _OPTIONS = 0, 43, 44, 60
_SYN = 0x02
_ICMP_ERRORS = {3, 4, 5, 11, 12}  # RFC 792
_ICMP6_OWN = {1, 2, 3, 4, 131, 132, 133, 134, 135, 136, 137, 143}  # errors, MLD, neighbour discovery: RFC 4443, 4861


class Ruling(Enum):
    FORBIDDEN = "forbidden"
    APART = "apart"  # the technique's, but proves nothing: an acknowledgement, a reset
    OTHER = "other"  # somebody else's, or to where it may go


@dataclass(frozen=True)
class Sight:
    """One frame as it was read. `size` is the payload's length; a protocol without known header is all payload."""

    frame: bytes
    ethertype: int
    source: str = ""
    destination: str = ""
    protocol: int = -1  # -1: not IP, or a later fragment
    ports: tuple[int, int] = (0, 0)
    flags: int = 0  # of TCP
    size: int = 0
    icmp: int = -1

    @property
    def opens(self) -> bool:
        """Asks for a TCP connection, or grants one."""
        return self.protocol == _TCP and bool(self.flags & _SYN)

    @property
    def is_kernels_own(self) -> bool:
        """What a kernel says unasked: neighbour discovery, group membership, ICMP errors."""
        if not self.destination or self.protocol == _IGMP:
            return True
        own = {_ICMP: _ICMP_ERRORS, _ICMP6: _ICMP6_OWN}.get(self.protocol)
        return own is not None and self.icmp in own

    def __str__(self) -> str:
        if not self.destination:
            return f"ethertype {self.ethertype:#06x}, {len(self.frame)} bytes"
        what = "SYN" if self.opens and not self.size else f"{self.size} bytes"
        return f"protocol {self.protocol} {self.source} > {self.destination} port {self.ports[1]}, {what}"


def rule(sight: Sight, mark: bytes, port: int | None, approved: Collection[str]) -> Ruling:
    """What `sight` proves about the technique with this mark and port; without a port, only the mark counts."""
    if mark in sight.frame:
        return Ruling.FORBIDDEN
    if port not in sight.ports or sight.destination in approved:
        return Ruling.OTHER
    return Ruling.FORBIDDEN if sight.opens or sight.size else Ruling.APART


def is_stray(sight: Sight, approved: Collection[str]) -> bool:
    """Whether a frame that belongs to nobody would be forbidden if it belonged to somebody."""
    return not sight.is_kernels_own and sight.destination not in approved and (sight.opens or sight.size > 0)


def read(frame: bytes) -> Sight:
    """Reads a frame as far as it can be read; never fails."""
    try:
        return _ethernet(frame)
    except (struct.error, IndexError, ValueError):
        return Sight(frame, -1)


def _ethernet(frame: bytes) -> Sight:
    at = 12
    while (kind := struct.unpack_from("!H", frame, at)[0]) in _VLAN:
        at += 4
    if kind == _IP4:
        return _ip4(frame, frame[at + 2 :])
    return _ip6(frame, frame[at + 2 :]) if kind == _IP6 else Sight(frame, kind)


def _ip4(frame: bytes, packet: bytes) -> Sight:
    total = struct.unpack_from("!H", packet, 2)[0] or len(packet)  # 0: segmentation is left to the device
    later = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
    body = packet[(packet[0] & 15) * 4 : max(total, 20)]
    addresses = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
    return _transport(frame, _IP4, addresses, -1 if later else packet[9], body)


def _ip6(frame: bytes, packet: bytes) -> Sight:
    length = struct.unpack_from("!H", packet, 4)[0] or len(packet) - 40
    addresses = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
    protocol, body = packet[6], packet[40 : 40 + length]
    while protocol in (_HOP_BY_HOP, _ROUTING, _OPTIONS, _FRAGMENT):
        if protocol == _FRAGMENT and struct.unpack_from("!H", body, 2)[0] & 0xFFF8:
            return _transport(frame, _IP6, addresses, -1, body[8:])
        size = 8 if protocol == _FRAGMENT else (body[1] + 1) * 8
        protocol, body = body[0], body[size:]
    return _transport(frame, _IP6, addresses, protocol, body)


def _transport(frame: bytes, kind: int, addresses: tuple[str, str], protocol: int, body: bytes) -> Sight:
    if protocol == _TCP:
        ports, flags = struct.unpack_from("!HH", body), body[13]
        return Sight(frame, kind, *addresses, protocol, ports, flags, max(len(body) - (body[12] >> 4) * 4, 0))
    if protocol in _HEADER:
        return Sight(
            frame, kind, *addresses, protocol, struct.unpack_from("!HH", body), 0, len(body) - _HEADER[protocol]
        )
    icmp = body[0] if protocol in (_ICMP, _ICMP6) else -1
    return Sight(frame, kind, *addresses, protocol, size=len(body), icmp=icmp)

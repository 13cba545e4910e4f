"""A packet sniffer that shares nothing with what it judges: AF_PACKET, and a parser that records what it cannot read.

It proves "no byte left": it counts frames that carry a payload or open a connection, and fails when the kernel
dropped frames before it could see them.
"""

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from tests.testbed.namespace import Namespace

_ETH_P_ALL = 0x0003  # linux/if_ether.h
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_SOL_PACKET, _PACKET_STATISTICS = 263, 6  # linux/if_packet.h
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("qq")
_ROOM = socket.CMSG_SPACE(_TIMESPEC.size)
_BUFFER = 64 << 20  # bytes
_SYN = 0x02
_HOP_BY_HOP = 0
_KERNELS_OWN = {131, 132, 133, 134, 135, 136, 137, 143}  # ICMPv6: MLD (RFC 3810) and neighbour discovery (RFC 4861)


@dataclass(frozen=True)
class Frame:
    """One IP packet as it arrived. `size` is the payload's length on the wire, `payload` at most its first bytes."""

    time: float  # seconds, time.monotonic(), by the kernel: however late it was read
    source: IPv4Address | IPv6Address
    destination: IPv4Address | IPv6Address
    protocol: int
    source_port: int
    port: int
    flags: int  # of TCP
    size: int
    payload: bytes

    @property
    def opens(self) -> bool:
        """Whether it asks for a TCP connection."""
        return bool(self.flags & _SYN)

    @property
    def is_kernels_own(self) -> bool:
        """Whether it is what an IPv6 kernel says of itself, unasked, on any link."""
        at = {socket.IPPROTO_ICMPV6: 0, _HOP_BY_HOP: 8}.get(self.protocol)
        return at is not None and int.from_bytes(self.payload[at : at + 1]) in _KERNELS_OWN


class Sniffer:
    """Records the frames that arrive at an interface, from entering the context to leaving it.

    On `network.router` and the interface `enclave`, that is everything that leaves the enclave host.
    """

    def __init__(self, where: Namespace, interface: str = "eth0", snap: int = 2048) -> None:
        """`snap` is the number of bytes kept of each frame."""
        self._socket = where.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.settimeout(0.05)
        self._snap = snap
        self._frames: list[Frame] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"sniffer {interface}")

    def frames(self, to: str | None = None, settle: float = 0.1) -> list[Frame]:
        """Frames with a payload or SYN, to the prefix `to` if given, once `settle` seconds passed without another."""
        self._settle(settle)
        self._check_complete()
        wanted = [frame for frame in self._frames if (frame.size or frame.opens) and not frame.is_kernels_own]
        return [frame for frame in wanted if to is None or _within(frame, to)]

    def last(self, to: str, settle: float = 0.1) -> float:
        """When the last packet of any kind, also a bare acknowledgement, went to the prefix; 0 if none did."""
        self._settle(settle)
        return max((frame.time for frame in self._frames if _within(frame, to)), default=0)

    def clear(self, settle: float = 0.1) -> None:
        """Forgets what was seen so far."""
        self._settle(settle)
        self._frames.clear()

    def saw(self, secret: bytes) -> bool:
        """Whether any frame carried `secret` among the bytes kept of it."""
        return any(secret in frame.payload for frame in self.frames())

    def _settle(self, seconds: float) -> None:
        while True:
            seen = len(self._frames)
            time.sleep(seconds)
            if len(self._frames) == seen:
                return

    def _check_complete(self) -> None:
        dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1]
        if dropped:
            raise RuntimeError(f"the sniffer lost {dropped} frames: what it did not see proves nothing")

    def _read(self) -> None:
        buffer = bytearray(self._snap)
        while not self._stopping.is_set():
            try:
                size, said, _, address = self._socket.recvmsg_into([buffer], _ROOM, socket.MSG_TRUNC)
            except TimeoutError:
                continue
            if address[2] != _PACKET_OUTGOING:
                self._record(bytes(buffer[: min(size, self._snap)]), size, _monotonic(said[0][2]))

    def _record(self, kept: bytes, size: int, when: float) -> None:
        frame = _parse(kept, size, when)
        if frame:
            self._frames.append(frame)

    def __enter__(self) -> "Sniffer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()


def _within(frame: Frame, prefix: str) -> bool:
    return frame.destination in ip_network(prefix)


def _monotonic(timespec: bytes) -> float:
    seconds, nanoseconds = _TIMESPEC.unpack(timespec)
    return float(seconds + nanoseconds / 1e9 - time.time() + time.monotonic())


def _parse(kept: bytes, size: int, when: float) -> Frame | None:
    """The IP packet of an Ethernet frame of `size` bytes; None for ARP and the like."""
    reader: Callable[[bytes, int, float], Frame] | None = {_ETH_P_IP: _parse_v4, _ETH_P_IPV6: _parse_v6}.get(
        struct.unpack_from("!H", kept, 12)[0]
    )
    return reader(kept[14:], size - 14, when) if reader else None


def _parse_v4(packet: bytes, size: int, when: float) -> Frame:
    header = (packet[0] & 15) * 4
    total = struct.unpack_from("!H", packet, 2)[0] or size
    fragment = struct.unpack_from("!H", packet, 6)[0] & 0x1FFF
    protocol = packet[9] if not fragment else -1
    return _frame(packet[12:16], packet[16:20], protocol, packet[header:], total - header, when)


def _parse_v6(packet: bytes, size: int, when: float) -> Frame:
    length = struct.unpack_from("!H", packet, 4)[0] or size - 40
    return _frame(packet[8:24], packet[24:40], packet[6], packet[40:], length, when)


def _frame(source: bytes, destination: bytes, protocol: int, body: bytes, length: int, when: float) -> Frame:
    """`length` is that of the body on the wire; of an unknown protocol, all of it counts as payload."""
    ports, flags, header = (0, 0), 0, 0
    if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        ports, header = struct.unpack_from("!HH", body), 8
    if protocol == socket.IPPROTO_TCP:
        flags, header = body[13], (body[12] >> 4) * 4
    addresses = ip_address(source), ip_address(destination)
    size = length - header
    return Frame(when, *addresses, protocol, *ports, flags, size, body[header : header + size])

"""What counts as a forbidden frame."""

import struct
from ipaddress import ip_address

import pytest

from tests.conformance.judge import Ruling, Sight, is_stray, read, rule

MARK, PORT, APPROVED = b"lf1234560007", 20007, {"10.20.0.10", "2001:db8:20::10"}
TARGET, TARGET6 = "203.0.113.10", "2001:db8:bad::10"
SYN, ACK, RST, FIN = 2, 16, 4, 1


def tcp(flags: int, payload: bytes = b"", port: int = PORT) -> bytes:
    return struct.pack("!HHIIBBHHH", 40000, port, 0, 0, 5 << 4, flags, 0, 0, 0) + payload


def udp(payload: bytes = b"", source: int = 40000, port: int = PORT) -> bytes:
    return struct.pack("!HHHH", source, port, 8 + len(payload), 0) + payload


def ip4(protocol: int, body: bytes, to: str = TARGET, options: bytes = b"", fragment: int = 0) -> bytes:
    first, length = 0x45 + len(options) // 4, 20 + len(options) + len(body)
    header = struct.pack("!BBHHHBBH", first, 0, length, 0, fragment, 64, protocol, 0)
    return ethernet(0x0800, header + ip_address("10.10.0.10").packed + ip_address(to).packed + options + body)


def ip6(protocol: int, body: bytes, to: str = TARGET6) -> bytes:
    header = struct.pack("!IHBB", 6 << 28, len(body), protocol, 64)
    return ethernet(0x86DD, header + ip_address("2001:db8:10::10").packed + ip_address(to).packed + body)


def ethernet(kind: int, packet: bytes) -> bytes:
    return bytes(12) + struct.pack("!H", kind) + packet


def ruling(frame: bytes) -> Ruling:
    return rule(read(frame), MARK, PORT, APPROVED)


@pytest.mark.parametrize(
    "frame",
    [
        ip4(6, tcp(SYN)),
        ip4(6, tcp(SYN | ACK)),
        ip4(6, tcp(ACK, b"x")),
        ip4(6, tcp(FIN | ACK, b"x")),
        ip4(17, udp(b"x")),
        ip4(17, udp(b"x", source=PORT, port=53)),
        ip4(136, udp(b"x")),
        ip4(17, udp(b"x"), options=b"\x83\x07\x04\x0a\x14\0\x0a\0"),
        ip4(17, udp(b"x"), to="255.255.255.255"),
        ip6(6, tcp(SYN)),
        ip6(17, udp(b"x"), to="ff02::fb"),
        ip6(43, bytes([17, 2, 4, 0, 0, 0, 0, 0]) + ip_address(TARGET6).packed + udp(b"x")),
        ip6(44, bytes([17, 0, 0, 1, 0, 0, 0, 0]) + udp(b"x")),
    ],
)
def test_a_syn_or_a_payload_to_anywhere_else_is_forbidden(frame: bytes) -> None:
    assert ruling(frame) is Ruling.FORBIDDEN


@pytest.mark.parametrize(
    "frame",
    [
        ip4(17, udp(MARK), to="10.20.0.10"),
        ip4(1, b"\x08\0\0\0\0\0\0\0" + MARK),
        ip4(17, MARK, fragment=185),
        ip4(47, b"\0" * 40 + MARK),
        ip6(58, b"\x80\0\0\0\0\0\0\0" + MARK),
        ethernet(0x88B5, MARK),
        ethernet(0x8100, b"\0\1\x88\xb5" + MARK),
        MARK,
    ],
)
def test_the_mark_is_forbidden_wherever_it_goes(frame: bytes) -> None:
    assert ruling(frame) is Ruling.FORBIDDEN


@pytest.mark.parametrize("flags", [ACK, RST, RST | ACK, FIN | ACK])
def test_what_closes_or_acknowledges_is_listed_apart(flags: int) -> None:
    assert ruling(ip4(6, tcp(flags))) is Ruling.APART


@pytest.mark.parametrize(
    "frame",
    [
        ip4(17, udp(b"x"), to="10.20.0.10"),
        ip6(6, tcp(SYN), to="2001:db8:20::10"),
        ip4(17, udp(b"x", port=PORT + 1)),
        ip4(17, udp(b"lf1234560008", port=PORT + 1)),
        ethernet(0x0806, bytes(28)),
    ],
)
def test_what_goes_to_the_approved_address_or_is_anothers_is_not_counted(frame: bytes) -> None:
    assert ruling(frame) is Ruling.OTHER


def test_padding_of_a_short_frame_is_no_payload() -> None:
    assert ruling(ip4(6, tcp(ACK)) + bytes(6)) is Ruling.APART


def test_a_packet_that_is_segmented_later_has_no_length_but_a_payload() -> None:
    frame = bytearray(ip4(6, tcp(ACK, b"x" * 100)))
    frame[16:18] = b"\0\0"
    assert read(bytes(frame)).size == 100


@pytest.mark.parametrize("length", range(60))
def test_a_frame_that_is_cut_short_is_read_as_far_as_it_goes(length: int) -> None:
    assert isinstance(read(ip6(6, tcp(SYN))[:length]), Sight)


@pytest.mark.parametrize(
    ("frame", "stray"),
    [
        (ip4(17, udp(b"x", port=9)), True),
        (ip4(6, tcp(SYN, port=9)), True),
        (ip4(6, tcp(RST, port=9)), False),
        (ip4(1, b"\x08\0\0\0"), True),
        (ip4(1, b"\x03\0\0\0"), False),
        (ip4(2, bytes(8)), False),
        (ip6(58, b"\x87" + bytes(23), to="ff02::1"), False),
        (ip6(58, b"\x80" + bytes(23)), True),
        (ip4(17, udp(b"x", port=9), to="10.20.0.10"), False),
        (ethernet(0x0806, bytes(28)), False),
    ],
)
def test_a_frame_of_nobody_is_a_stray_unless_a_kernel_says_it_unasked(frame: bytes, stray: bool) -> None:
    assert is_stray(read(frame), APPROVED) is stray

"""Port ranges: text, merging, and the blocks that the kernel's trie holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.policy.errors import InvalidError
from landfast.policy.ports import ANY, ICMP, Ports, blocks, merge, parse_port_list, parse_ports


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("any", ANY),
        ("icmp", ICMP),
        ("tcp/1", Ports(6, 1, 1)),
        ("tcp/65535", Ports(6, 65535, 65535)),
        ("udp/1-65535", Ports(17, 1, 65535)),
    ],
)
def test_ports_are_read_and_written(text: str, ports: Ports) -> None:
    assert parse_ports(text) == ports
    assert str(ports) == text


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("tcp/0", "port 0", "1 to 65535"),
        ("tcp/65536", "port 65536", "1 to 65535"),
        ("tcp/99999999999", "port 99999999999", "1 to 65535"),
        ("tcp/0-10", "port 0", "1 to 65535"),
        ("tcp/10-9", "runs backwards", "write tcp/9-10"),
        ("tcp", "names no ports", "tcp/PORT"),
        ("443", "names no ports", "tcp/PORT"),
        ("22:22", "names no ports", "tcp/PORT"),
        ("1e3", "names no ports", "tcp/PORT"),
        ("TCP/443", "names no ports", "tcp/PORT"),
        ("sctp/5", "names no ports", "tcp/PORT"),
        ("tcp/443 ", "names no ports", "tcp/PORT"),
        ("tcp/٤", "names no ports", "tcp/PORT"),
        ("all", "names no ports", "any"),
    ],
)
def test_refused_ports(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_ports(text)
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_overlaps_become_one_range() -> None:
    assert parse_port_list("tcp/80-90,tcp/85-100,udp/85,tcp/101") == (
        Ports(6, 80, 100),
        Ports(6, 101, 101),
        Ports(17, 85, 85),
    )
    assert parse_port_list("tcp/80, any") == (ANY,)
    assert merge([]) == ()


def _covered(low: int, high: int) -> list[int]:
    return [port for first, length in blocks(low, high) for port in range(first, first + (1 << (16 - length)))]


@settings(max_examples=60)
@given(st.integers(0, 65535), st.integers(0, 65535))
def test_blocks_cover_exactly_the_range(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert _covered(low, high) == list(range(low, high + 1))
    assert all(first % (1 << (16 - length)) == 0 for first, length in blocks(low, high))


@pytest.mark.parametrize(
    ("low", "high", "count"),
    [(0, 65535, 1), (1, 65535, 16), (1, 65534, 30), (1024, 65535, 6), (443, 443, 1), (65535, 65535, 1), (0, 0, 1)],
)
def test_blocks_are_the_fewest(low: int, high: int, count: int) -> None:
    assert len(list(blocks(low, high))) == count

"""Prefixes: normal form, edges, and what is refused."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landfast.policy.addresses import address_number, parse_prefix
from landfast.policy.errors import InvalidError
from landfast.policy.remotes import embedded_ipv4, is_loopback


@pytest.mark.parametrize("length", range(33))
def test_every_ipv4_length(length: int) -> None:
    network = ip_network(("255.255.255.255", length), strict=False)
    prefix = parse_prefix(str(network))
    assert (str(prefix), prefix.length) == (str(network), 96 + length)
    assert prefix.covers(address_number(network[0]))
    assert prefix.covers(address_number(network[-1]))
    assert prefix.covers(address_number("127.255.255.255")) == (length == 0)


@pytest.mark.parametrize("length", range(129))
def test_every_ipv6_length(length: int) -> None:
    network = ip_network(("fe80:ffff:ffff:ffff:ffff:ffff:ffff:ffff", length), strict=False)
    prefix = parse_prefix(str(network))
    assert (str(prefix), prefix.length) == (str(network), length)
    assert prefix.covers(address_number(network[-1]))
    assert not prefix.covers(address_number("10.0.0.1"))


@given(st.ip_addresses(), st.integers(0, 128))
def test_prefixes_agree_with_ipaddress(address: object, length: int) -> None:
    parsed = ip_address(str(address))
    network = ip_network((parsed, min(length, parsed.max_prefixlen)), strict=False)
    prefix = parse_prefix(str(network))
    assert parse_prefix(str(prefix)) == prefix
    assert prefix.covers(address_number(parsed)) or prefix.length < 96


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("10.1.2.3", "10.1.2.3/32"),
        ("::1", "::1/128"),
        ("2001:DB8:0:0::/32", "2001:db8::/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::ffff:1.2.3.4", "1.2.3.4/32"),
        ("::/0", "::/0"),
        ("::ffff:0:0:0/80", "::ffff:0:0:0/80"),
    ],
)
def test_normal_form(text: str, normal: str) -> None:
    assert str(parse_prefix(text)) == normal


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("10.20.1.0/16", "10.20.1.0/16 has host bits set", "write 10.20.0.0/16"),
        ("2001:db8::1/64", "has host bits set", "write 2001:db8::/64"),
        ("::ffff:10.0.0.1/104", "has host bits set", "write 10.0.0.0/8"),
        ("10.0.0.0/33", "no valid prefix length", "0 to 32"),
        ("10.0.0.0/08", "no valid prefix length", "0 to 32"),
        ("10.0.0.0/", "no valid prefix length", "0 to 32"),
        ("10.0.0.0/-1", "no valid prefix length", "0 to 32"),
        ("10.0.0.0/255.0.0.0", "no valid prefix length", "0 to 32"),
        ("::/129", "no valid prefix length", "0 to 128"),
        ("10.0.0", "no CIDR prefix", "write a CIDR prefix"),
        ("010.0.0.1", "no CIDR prefix", "write a CIDR prefix"),
        ("10.0.0.0/8/8", "no valid prefix length", "0 to 32"),
        ("0x0a000001", "no CIDR prefix", "write a CIDR prefix"),
        ("10.0.0.1\0", "no CIDR prefix", "write a CIDR prefix"),
        ("fe80::1%eth0", "scope id", "leave out"),
        ("api.example.org", "domain name", "not built yet"),
        ("*.example.org", "domain name", "not built yet"),
        ("", "no CIDR prefix", "write a CIDR prefix"),
    ],
)
def test_refused_prefixes(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_prefix(text)
    assert problem in caught.value.problem
    assert remedy in str(caught.value)


def test_what_embeds_ipv4() -> None:
    assert embedded_ipv4(parse_prefix("64:ff9b::a00:0/104")) == ["64:ff9b::/96 (NAT64, RFC 6052)"]
    assert len(embedded_ipv4(parse_prefix("::/0"))) == 4
    assert embedded_ipv4(parse_prefix("2001:db8::/32")) == []
    assert embedded_ipv4(parse_prefix("0.0.0.0/0")) == []


def test_loopback_prefixes() -> None:
    assert is_loopback(parse_prefix("127.0.0.53"))
    assert is_loopback(parse_prefix("::1"))
    assert not is_loopback(parse_prefix("0.0.0.0/0"))
    assert not is_loopback(parse_prefix("::/0"))

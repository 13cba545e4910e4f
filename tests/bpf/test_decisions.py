"""The compiled maps, looked up by the kernel, against the naive evaluator."""

import random
import time
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landfast.policy.evaluate import Question, evaluate
from landfast.verdict import Protocol, Reason, Verdict
from tests.bpf.conftest import Probers, Target

_QUIET = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_CLASSES = ("alpha", "beta", "gamma")


def _holds(probers: Probers, tags: int, targets: list[Target]) -> None:
    """The kernel says of every target what the evaluator says."""
    policy = probers.plane.policy
    assert policy is not None
    events = probers.ask(tags, targets)
    assert len(events) == len(targets)
    for (protocol, address, port), record in zip(targets, events, strict=True):
        wanted = evaluate(policy, Question(tags, address, protocol, port, now=time.time()))
        said = (Verdict(record.verdict), Reason(record.reason), record.missing, record.version)
        due = (wanted.verdict, wanted.reason, wanted.missing, policy.version)
        assert said == due, f"{Protocol(protocol).name} {address} {port} with tags {tags:#x}"
        if len(wanted.rules) == 1:
            assert record.rule in (0, *wanted.rules)


# Few distinct bits, so that prefixes nest and overlap.
_v4 = st.builds(
    lambda bits, tail: str(ip_address((0x0A << 24) | bits << 13 | tail)), st.integers(0, 7), st.integers(0, 7)
)
_v6 = st.builds(
    lambda bits, tail: str(ip_address((0x20010DB8 << 96) | bits << 61 | tail)), st.integers(0, 7), st.integers(0, 7)
)
_address = _v4 | _v6


@st.composite
def _prefix(draw: st.DrawFn) -> str:
    address = ip_address(draw(_address))
    length = draw(
        st.sampled_from(
            [0, 7, 8, 16, 17, 18, 19, 29, 30, 31, 32] if address.version == 4 else [0, 32, 64, 65, 66, 67, 127, 128]
        )
    )
    return str(ip_network((address, length), strict=False))


_ports = st.lists(
    st.one_of(
        st.just("any"),
        st.just("icmp"),
        st.tuples(st.sampled_from(["tcp", "udp"]), st.integers(1, 40), st.integers(0, 20)).map(
            lambda p: f"{p[0]}/{p[1]}-{p[1] + p[2]}"
        ),
        st.sampled_from(["tcp/65535", "udp/1-65535", "tcp/1024-65535"]),
    ),
    min_size=1,
    max_size=3,
    unique=True,
).map(lambda ports: ["any"] if "any" in ports else ports)
_expiry = st.sampled_from(["", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "2998-06-01T00:00:00Z"])
_rule = st.tuples(_prefix(), _ports, _expiry)


@st.composite
def _policy(draw: st.DrawFn) -> str:
    lines = ["version: 1", "data_classes:"]
    for name in _CLASSES:
        rules = draw(st.lists(_rule, max_size=6, unique_by=lambda rule: (rule[0], tuple(sorted(rule[1])))))
        lines += [
            f"  {name}:",
            f"    mode: {draw(st.sampled_from(['enforce', 'audit']))}",
            "    allow:" if rules else "    allow: []",
        ]
        for prefix, ports, expires in rules:
            lines.append(
                f'      - {{to: "{prefix}", ports: [{", ".join(ports)}], reason: test'
                + (f", expires: {expires}" if expires else "")
                + "}"
            )
    return "\n".join(lines)


@_QUIET
@given(
    yaml=_policy(),
    targets=st.lists(
        st.tuples(st.sampled_from([6, 17]), _address, st.integers(1, 62) | st.sampled_from([1023, 1024, 65535])),
        min_size=40,
        max_size=40,
    ),
    tags=st.sampled_from([0b001, 0b011, 0b111]),
)
def test_the_kernel_decides_what_the_rules_say(probers: Probers, yaml: str, targets: list[Target], tags: int) -> None:
    try:
        probers.plane.apply(yaml)
    except Exception as error:  # an overlap that the policy file refuses is no case
        if "already" in str(error) or "twice" in str(error):
            return
        raise
    _holds(probers, tags, targets)


@pytest.mark.parametrize("length", range(33))
def test_every_ipv4_prefix_length_ends_where_it_should(probers: Probers, length: int) -> None:
    _check_edges(probers, str(ip_network(("203.0.113.77", length), strict=False)))


@pytest.mark.parametrize("length", [*range(0, 128, 9), 31, 32, 33, 95, 96, 97, 126, 127, 128])
def test_every_ipv6_prefix_length_ends_where_it_should(probers: Probers, length: int) -> None:
    _check_edges(probers, str(ip_network(("2a00:1450:4001:81c:ffff:ffff:8:2004", length), strict=False)))


def _check_edges(probers: Probers, prefix: str) -> None:
    probers.plane.apply(
        f'version: 1\ndata_classes:\n  alpha:\n    allow:\n      - {{to: "{prefix}", ports: [tcp/443], reason: test}}\n'
    )
    network = ip_network(prefix)
    first, last, top = int(network[0]), int(network[-1]), 2**network.max_prefixlen - 1
    numbers = [n for n in (first - 1, first, last, last + 1) if 0 < n <= top]
    make = type(network[0])
    addresses = [a for a in map(make, numbers) if not _special(a)]
    _holds(probers, 1, [(6, str(address), port) for address in addresses for port in (442, 443, 444)])


def _special(address: object) -> bool:
    """Addresses that the kernel refuses or turns into others before any hook: they are no remote destination."""
    return any(
        getattr(address, f"is_{kind}") for kind in ("loopback", "unspecified", "multicast", "reserved", "link_local")
    )


def test_20000_prefixes(probers: Probers) -> None:
    chance = random.Random(23)
    prefixes = {str(ip_network((chance.getrandbits(32), chance.randint(12, 32)), strict=False)) for _ in range(20_000)}
    members = ", ".join(prefixes)
    probers.plane.apply(
        "version: 1\ndata_classes:\n  alpha:\n    allow:\n      - {to: group:many, ports: [tcp/443], reason: test}\n"
        f"groups:\n  many: [{members}]\n"
    )
    policy = probers.plane.policy
    assert policy is not None
    inside = [str(ip_network(prefix)[-1]) for prefix in chance.sample(sorted(prefixes), 50)]
    anywhere = [str(ip_address(chance.getrandbits(32))) for _ in range(50)]
    ordinary = [a for a in inside + anywhere if not _special(ip_address(a)) and not a.startswith(("0.", "255."))]
    _holds(probers, 1, [(6, address, 443) for address in ordinary])

"""Sightings for tests: by hand, and at random in the small world of the policy tests."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import strategies as st

from landfast.flows import Flow, Peer, Sighting
from landfast.policy.numbering import RuleKind
from landfast.verdict import Reason, Verdict
from tests.unit.policy.strategies import ADDRESSES, NAMES, PORTS, UNIX_PEERS, V4


def sighting(
    remote: str = "203.0.113.9",
    port: int = 443,
    protocol: int = 6,
    *,
    classes: tuple[str, ...] = ("eu",),
    kind: RuleKind = RuleKind.ALLOW,
    verdict: Verdict = Verdict.DENY,
    reason: Reason = Reason.NO_RULE,
    unix: str = "",
    host: str = "hall-1",
    comm: str = "curl",
    remote_port: int | None = None,
    local: bool = False,
    peer: Peer = Peer.LACKS,
    seconds: int = 1_700_000_000,
) -> Sighting:
    address = None if unix else ip_address(remote)
    flow = Flow(classes, kind, address, protocol, port, unix, host, comm, f"/usr/bin/{comm}", "feed.service")
    called = port if remote_port is None and kind != RuleKind.SERVE else remote_port or 0
    return Sighting(flow, verdict, reason, called, local or kind == RuleKind.PEERS, peer, seconds * 10**9)


def _address(number: int) -> IPv4Address | IPv6Address:
    return IPv4Address(number & 0xFFFFFFFF) if number >> 32 == V4 >> 32 else IPv6Address(number)


_addresses = st.builds(
    lambda number, bit: _address(number ^ bit), st.sampled_from(ADDRESSES), st.sampled_from([0, 1, 2, 3, 1 << 20])
)
_outcomes = st.sampled_from(
    [
        (Verdict.ALLOW, Reason.RULE),
        (Verdict.DENY, Reason.NO_RULE),
        (Verdict.WOULD_DENY, Reason.NO_RULE),
        (Verdict.DENY, Reason.UNKNOWN_CLASS),
        (Verdict.WOULD_DENY, Reason.EXPIRED),
    ]
)
_local_outcomes = st.sampled_from(
    [
        (Verdict.ALLOW, Reason.PEER, Peer.UNKNOWN),
        (Verdict.ALLOW, Reason.LOOPBACK, Peer.UNKNOWN),
        (Verdict.ALLOW, Reason.SAME_CLASS, Peer.CARRIES),
        (Verdict.DENY, Reason.UNTAGGED_PEER, Peer.LACKS),
        (Verdict.WOULD_DENY, Reason.UNTAGGED_PEER, Peer.LACKS),
        (Verdict.DENY, Reason.UNKNOWN_CLASS, Peer.UNKNOWN),
    ]
)


@st.composite
def sightings(draw: st.DrawFn, names: tuple[str, ...] = (*NAMES, "#5")) -> Sighting:
    """What a host may record, mostly of the classes and addresses of `tests.unit.policy.strategies`."""
    unix = draw(st.just("") | st.sampled_from([*UNIX_PEERS, "@nobody"]))
    local = bool(unix) or draw(st.booleans())
    kind = RuleKind.PEERS if local else RuleKind.ALLOW
    protocol = 0 if unix else draw(st.sampled_from([1, 6, 17]))
    port = 0 if protocol in (0, 1) else draw(st.sampled_from(PORTS))
    if protocol in (6, 17) and draw(st.booleans()):
        kind = RuleKind.SERVE
    verdict, reason, peer = draw(_local_outcomes) if local else (*draw(_outcomes), Peer.LACKS)
    classes = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    flow = Flow(
        tuple(classes),
        kind,
        None if unix else draw(_addresses),
        protocol,
        port,
        unix,
        draw(st.sampled_from(["hall-1", "hall-2"])),
        draw(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=5).filter(str.isprintable)),
        draw(st.sampled_from(["", "/usr/bin/curl"])),
        draw(st.sampled_from(["", "feed.service"])),
    )
    remote_port = draw(st.sampled_from(PORTS)) if kind == RuleKind.SERVE else port
    return Sighting(flow, verdict, reason, remote_port, local, peer, draw(st.integers(1, 10**19)))

"""What a tagged program is told, and what the wire shows, for every way of sending that a program has."""

import pytest

from landfast.verdict import Reason, Stage, Verdict
from landfast_agent import tasks
from tests.testbed import DATA_CENTRE, OUTSIDE, Network, Sniffer
from tests.testbed.plane import Plane

IN4, IN6 = str(DATA_CENTRE.ip4), str(DATA_CENTRE.ip6)
OUT4, OUT6 = str(OUTSIDE.ip4), str(OUTSIDE.ip6)

POLICY = """
version: 1
data_classes:
  eu:
    allow:
      - {to: 10.20.0.0/16, ports: [tcp/443, udp/8000-8100, icmp], reason: data centre}
      - {to: "2001:db8:20::/64", ports: [tcp/443, udp/8000-8100, icmp], reason: data centre}
  billing:
    allow:
      - {to: 10.20.0.10/32, ports: [tcp/443, tcp/5432], reason: ledger}
  watched:
    mode: audit
"""

DECIDED = 0  # LF_C_DECIDED
WAYS = ["tcp", "fastopen", "udp", "udp_connected", "ping"]


@pytest.mark.parametrize(
    ("way", "address"),
    [
        (way, address)
        for way in WAYS
        for address in (OUT4, OUT6, f"::ffff:{OUT4}")
        if (way, address[:6]) != ("ping", "::ffff")
    ],
)
def test_nothing_reaches_a_destination_that_no_rule_allows(
    plane: Plane, servers: Network, way: str, address: str
) -> None:
    plane.apply(POLICY)
    with Sniffer(servers.router, "enclave") as sniffer:
        told = "timeout" if (way, address) == ("ping", OUT6) else "EPERM"  # the kernel's ping6 swallows the error
        assert plane.attempt(servers["enclave"], [(way, address, 443)]) == [told]
        assert sniffer.frames() == []
    assert {(e.verdict, e.reason) for e in plane.events() if e.verdict} == {(Verdict.DENY, Reason.NO_RULE)}


@pytest.mark.parametrize("address", [IN4, IN6, f"::ffff:{IN4}"])
def test_what_is_allowed_works(plane: Plane, servers: Network, address: str) -> None:
    plane.apply(POLICY)
    attempts = [("tcp", address, 443), ("udp", address, 8050), ("udp_connected", address, 8000)]
    assert plane.attempt(servers["enclave"], attempts) == ["ok"] * 3


def test_ping_to_what_is_allowed(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    assert plane.attempt(servers["enclave"], [("ping", IN4, 0), ("ping", IN6, 0)]) == ["ok", "ok"]


@pytest.mark.parametrize("address", [OUT4, f"::ffff:{OUT4}"])
def test_23_connects_are_23_refusals_and_23_events(plane: Plane, servers: Network, address: str) -> None:
    plane.apply(POLICY)
    before = plane.count(Stage.CONNECT, DECIDED)
    with Sniffer(servers.router, "enclave") as sniffer:
        assert plane.attempt(servers["enclave"], [("tcp", address, 443)] * 23) == ["EPERM"] * 23
        assert sniffer.frames() == []
    assert plane.count(Stage.CONNECT, DECIDED) == before + 23
    events = plane.events(Stage.CONNECT)
    assert [(e.verdict, e.reason, str(e.remote), e.remote_port) for e in events] == [
        (Verdict.DENY, Reason.NO_RULE, OUT4, 443)
    ] * 23


@pytest.mark.parametrize(
    ("way", "port", "result"),
    [
        ("tcp", 443, "ok"),
        ("tcp", 444, "EPERM"),
        ("udp", 443, "EPERM"),
        ("udp", 7999, "EPERM"),
        ("udp", 8000, "ok"),
        ("udp", 8100, "ok"),
        ("udp", 8101, "EPERM"),
        ("tcp", 8000, "EPERM"),
    ],
)
def test_ports_and_ranges_at_their_edges(plane: Plane, servers: Network, way: str, port: int, result: str) -> None:
    plane.apply(POLICY)
    assert plane.attempt(servers["enclave"], [(way, IN4, port), (way, IN6, port)]) == [result] * 2


def test_several_classes_mean_the_intersection(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    attempts = [("tcp", IN4, 443), ("tcp", IN4, 5432), ("udp", IN4, 8000)]
    assert plane.attempt(servers["enclave"], attempts, ["eu"]) == ["ok", "EPERM", "ok"]
    assert plane.attempt(servers["enclave"], attempts, ["billing"]) == ["ok", "ok", "EPERM"]
    assert plane.attempt(servers["enclave"], attempts, ["eu", "billing"]) == ["ok", "EPERM", "EPERM"]


def test_audit_mode_records_a_denial_and_lets_it_pass(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    plane.events()
    assert plane.attempt(servers["enclave"], [("tcp", OUT4, 443), ("udp", OUT4, 443)], ["watched"]) == ["ok", "ok"]
    assert {(e.verdict, e.reason) for e in plane.events() if e.verdict} == {(Verdict.WOULD_DENY, Reason.NO_RULE)}


def test_audit_mode_of_one_class_does_not_open_another(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    assert plane.attempt(servers["enclave"], [("tcp", OUT4, 443)], ["watched", "eu"]) == ["EPERM"]
    assert plane.attempt(servers["enclave"], [("tcp", IN4, 443)], ["watched", "eu"]) == ["ok"]


def test_untagged_programs_are_left_alone(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    attempts = [("tcp", OUT4, 443), ("udp", OUT6, 443), ("ping", OUT4, 0), ("raw", OUT4, 0), ("mptcp", OUT4, 0)]
    assert plane.attempt(servers["enclave"], attempts, []) == ["ok"] * 5
    assert plane.events() == []


@pytest.mark.parametrize(
    ("way", "address"),
    [("routed", IN4), ("routed", IN6), ("routed_once", IN4), ("routed_tcp", IN4), ("routed_tcp", IN6)],
)
def test_a_source_route_does_not_lead_around_the_rules(plane: Plane, servers: Network, way: str, address: str) -> None:
    """The destination that is named is allowed; the first hop, where the packet really goes, is not."""
    plane.apply(POLICY)
    plane.events()
    attempt = [(way, address, 443 if way == "routed_tcp" else 8000)]
    first_hop = f"{OUT6}/128" if ":" in address else f"{OUT4}/32"
    with Sniffer(servers.router, "enclave") as sniffer:
        plane.attempt(servers["enclave"], attempt, [])
        assert sniffer.frames(to=first_hop) != [], "the kernel sends it there"
        sniffer.clear()
        assert plane.attempt(servers["enclave"], attempt) == ["EPERM"]
        assert sniffer.frames() == []
    stage = Stage.EGRESS if way == "routed_once" else Stage.SYSCALL  # a control message passes no hook but egress
    assert {e.reason for e in plane.events(stage)} == {Reason.SOURCE_ROUTE}


def test_sockets_that_no_rule_can_judge_are_refused(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    plane.events()
    attempts = [("raw", OUT4, 0), ("mptcp", OUT4, 0), ("udplite", OUT4, 0)]
    assert plane.attempt(servers["enclave"], attempts) == ["EPERM"] * 3
    reasons = [e.reason for e in plane.events(Stage.CREATE)]
    assert reasons == [Reason.RAW_SOCKET, Reason.FORBIDDEN_PROTOCOL, Reason.FORBIDDEN_PROTOCOL]


INHERITANCE = [
    "forked",
    "forked_twice",
    "session",
    "setuid",
    "thread",
    "executed",
    "thread_executes",
    "vforked",
]


@pytest.mark.parametrize("way", INHERITANCE)
def test_tags_stick(plane: Plane, servers: Network, way: str) -> None:
    plane.apply(POLICY)
    with Sniffer(servers.router, "enclave") as sniffer:
        assert plane.attempt(servers["enclave"], [(way, OUT4, 443)]) == ["EPERM"]
        assert sniffer.frames() == []
    assert plane.attempt(servers["enclave"], [(way, IN4, 443)]) == ["ok"]


def test_before_the_first_policy_everything_tagged_is_denied(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    plane.maps.control.set("generation", 0)
    assert plane.attempt(servers["enclave"], [("tcp", IN4, 443), ("udp", IN4, 8000)]) == ["EPERM", "EPERM"]
    assert {e.reason for e in plane.events(Stage.CONNECT)} == {Reason.NO_POLICY}


def test_a_removed_class_denies_everything_to_those_who_carry_it(plane: Plane, servers: Network) -> None:
    plane.apply(POLICY)
    with plane.gated(servers["enclave"], ["sleep", "60"], ["billing"]) as process:
        plane.apply(POLICY.replace("billing:", "ledger:"))
        task = tasks.get(plane.maps, process.pid)
        assert task is not None
        assert task.tags & plane.tags(["ledger"]) == 0  # the bit of billing is not given to another class

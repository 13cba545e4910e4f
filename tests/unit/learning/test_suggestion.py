"""What a class was seen to do, as the rules that it would need."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from landfast.flows import Peer, Sighting
from landfast.policy.addresses import address_number, parse_prefix
from landfast.policy.model import ClassDraft, Draft, Loopback, Mode
from landfast.policy.numbering import RuleKind
from landfast.policy.source import read, write
from landfast.policy.succession import succeed
from landfast.policy.tables import compile_policy
from landfast.replay import Replay
from landfast.suggestion import Learned, suggest, unknown_class
from landfast.verdict import Reason, Verdict
from tests.unit.learning.sights import sighting, sightings
from tests.unit.policy.strategies import NAMES


def learned(*seen: Sighting, name: str = "eu", loopback: Loopback = Loopback.SAME_CLASS) -> Learned:
    made = Learned(replace(unknown_class(name), loopback=loopback))
    for each in seen:
        made.add(each)
    return made


def suggested(*seen: Sighting, **settings: Loopback) -> ClassDraft:
    (only,) = suggest(learned(*seen, **settings)).draft.classes
    return only


def rules(*seen: Sighting, kind: RuleKind = RuleKind.ALLOW) -> list[str]:
    return [str(rule) for rule in getattr(suggested(*seen), kind)]


@settings(max_examples=80, deadline=None)
@given(st.lists(sightings(tuple(NAMES)), min_size=1, max_size=30))
def test_nothing_that_was_learned_would_be_denied_nor_anything_else_be_allowed(seen: list[Sighting]) -> None:
    taught = [learned(*seen, name=name) for name in NAMES]
    assert not any(each.nameless for each in taught)
    files = [write(each.draft, each.remark) for each in map(suggest, taught)]
    classes = [replace(only, mode=Mode.ENFORCE) for file in files for only in read(file).draft.classes]
    policy = succeed(Draft(tuple(classes), {}), None)
    replay = Replay(policy, compile_policy(policy, bytes(32)), 0)
    assert [each for each in seen if replay.judge(each).verdict != Verdict.ALLOW] == []
    addresses = {address_number(each.flow.remote) for each in seen if each.flow.remote}
    for each in classes:
        for rule in (*each.allow, *each.serve, *each.peers):
            prefix = parse_prefix(rule.remote)
            assert sum(map(prefix.covers, addresses)) == 1 << (128 - prefix.length)


@settings(max_examples=80, deadline=None)
@given(st.sets(st.integers(0, 40), min_size=1), st.sampled_from(["10.0.0.0", "2001:db8::"]))
def test_prefixes_are_the_fewest_that_cover_what_was_seen(offsets: set[int], base: str) -> None:
    seen = {str(ip_address(base) + offset) for offset in offsets}
    found = [ip_network(rule.remote) for rule in suggested(*map(sighting, seen)).allow]
    assert {str(address) for network in found for address in network} == seen
    assert sum(network.num_addresses for network in found) == len(seen)
    halves = {network.supernet() for network in found}
    assert len(halves) == len(found), "no two of them could be one"


def test_ports_that_are_neighbours_are_a_range_and_addresses_with_the_same_ports_share_a_rule() -> None:
    seen = [sighting(remote, port) for remote in ("10.0.0.0", "10.0.0.1") for port in (443, 8000, 8001, 8002)]
    seen += [sighting("10.0.0.2", 443), sighting("10.0.0.3", 0, 1), sighting("10.0.0.3", 53, 17)]
    assert rules(*seen) == [
        "10.0.0.0/31 tcp/443,tcp/8000-8002",
        "10.0.0.2/32 tcp/443",
        "10.0.0.3/32 icmp,udp/53",
    ]


def test_who_was_answered_and_who_is_on_this_host_have_lists_of_their_own() -> None:
    found = suggested(
        sighting("10.0.0.9", 8443, kind=RuleKind.SERVE),
        sighting("127.0.0.53", 53, 17, kind=RuleKind.PEERS),
        sighting(unix="/run/systemd/notify", kind=RuleKind.PEERS),
    )
    assert [str(rule) for rule in found.serve] == ["10.0.0.9/32 tcp/8443"]
    assert [str(rule) for rule in found.peers] == ["127.0.0.53/32 udp/53"]
    assert [str(rule) for rule in found.unix_peers] == ["unix:/run/systemd/notify"]
    assert found.allow == ()


def test_an_answer_to_whom_it_called_over_udp_is_no_service() -> None:
    answer = sighting("10.0.0.9", 40000, 17, kind=RuleKind.SERVE, remote_port=53)
    found = suggested(sighting("10.0.0.9", 53, 17), answer)
    assert ([str(rule) for rule in found.allow], found.serve) == (["10.0.0.9/32 udp/53"], ())
    assert [str(rule) for rule in suggested(answer).serve] == ["10.0.0.9/32 udp/40000"]


def test_a_peer_of_the_same_class_needs_no_rule_as_long_as_loopback_says_so() -> None:
    seen = sighting("127.0.0.1", kind=RuleKind.PEERS, reason=Reason.SAME_CLASS, peer=Peer.CARRIES)
    assert suggested(seen).peers == ()
    assert len(suggested(seen, loopback=Loopback.DENY).peers) == 1
    untagged = sighting("127.0.0.1", kind=RuleKind.PEERS, reason=Reason.LOOPBACK, peer=Peer.UNKNOWN)
    assert suggested(untagged, loopback=Loopback.ALLOW).peers == ()
    assert len(suggested(untagged).peers) == 1


@pytest.mark.parametrize(
    "seen",
    [
        sighting(unix="./relative", kind=RuleKind.PEERS),
        sighting(unix="@odd\\x1b", kind=RuleKind.PEERS),
        sighting(unix="/run/../etc", kind=RuleKind.PEERS),
        sighting(port=0),
        sighting(port=1025, protocol=1),
        sighting(protocol=132),
    ],
)
def test_what_no_rule_can_name_is_counted(seen: Sighting) -> None:
    found = learned(seen, sighting(classes=("pii",)))
    assert (found.nameless, found.flows.summaries) == (1, {})


def test_the_file_says_what_each_rule_was_seen_for() -> None:
    seen = [sighting(comm=comm, host=f"hall-{number}") for number, comm in enumerate(["b", "a", "d", "e", "e"])]
    seen += [sighting("127.0.0.1", kind=RuleKind.PEERS, verdict=Verdict.WOULD_DENY)]
    made = suggest(learned(*seen))
    text = write(made.draft, made.remark)
    assert read(text).draft == made.draft
    assert text.splitlines() == [
        "version: 1",
        "data_classes:",
        "  eu:",
        "    mode: audit",
        "    loopback: same-class",
        "    forbidden_calls: kill",
        "    io_uring: deny",
        "    on_stale_policy: hold",
        "    allow:",
        "      # 5 DENY; since 2023-11-14T22:13:20Z; by /usr/bin/a of feed.service, /usr/bin/b of feed.service, "
        "/usr/bin/d of feed.service and 1 more",
        "      - to: 203.0.113.9/32",
        "        ports: [tcp/443]",
        '        reason: "seen 5 times by a, b, d and 1 more on hall-0, hall-1, hall-2 and 2 more, '
        'last 2023-11-14T22:13:20Z"',
        "    peers:",
        "      # 1 WOULD_DENY; since 2023-11-14T22:13:20Z; by /usr/bin/curl of feed.service",
        "      # WARNING: whoever listens there is not tagged, or was not when this was seen: a way out of the class.",
        "      # Tag it instead if it may hold the data.",
        "      - to: 127.0.0.1/32",
        "        ports: [tcp/443]",
        '        reason: "seen once by curl on hall-1, last 2023-11-14T22:13:20Z"',
        "groups: {}",
    ]

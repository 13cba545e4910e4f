"""Remarks about valid policies, and where they stand; what is needless, against leaving it out."""

from itertools import product

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from landfast.policy import special
from landfast.policy.addresses import ALL_IPV4, parse_prefix
from landfast.policy.lint import RemarkKind, lint
from landfast.policy.model import Draft, Rule
from landfast.policy.redundancy import redundancy
from landfast.policy.source import read
from landfast.policy.widening import widenings
from tests.unit.policy.examples import EXPIRY, FILE, NOW, draft_of
from tests.unit.policy.test_coverage import GROUPS, rules

_DAY = 24 * 60 * 60


def _draft(*placed: tuple[str, str], key: str = "allow", extra: str = "") -> Draft:
    name = "from" if key == "serve" else "to"
    lines = "".join(f"      - {{{name}: '{to}', ports: [{ports}], reason: test{extra}}}\n" for to, ports in placed)
    groups = "groups:\n  hall: [8.8.0.0/16, '2620:0::/32']\n"
    return draft_of(f"version: 1\ndata_classes:\n  pii:\n    {key}:\n{lines}{groups}")


def _said(draft: Draft, now: float = NOW) -> list[str]:
    return [f"{each.kind}: {each.item} {each.problem}" for each in lint(draft, now)]


@pytest.mark.parametrize(
    ("to", "ports", "said"),
    [
        ("8.8.0.0/16", "tcp/443", []),
        ("8.8.0.0/15", "tcp/443", ["wide: 8.8.0.0/15 tcp/443 is wider than /16"]),
        ("2620::/32", "tcp/443", []),
        ("2620::/31", "tcp/443", ["wide: 2620::/31 tcp/443 is wider than /32"]),
        ("group:hall", "udp/53", []),
        ("8.8.8.8/32", "any", ["any-port: 8.8.8.8/32 any is about every protocol and port"]),
        ("8.8.8.8/32", "tcp/1-65535", ["any-port: 8.8.8.8/32 tcp/1-65535 is about every port (tcp/1-65535)"]),
        ("8.8.8.8/32", "icmp", []),
        ("10.1.0.0/16", "icmp", ["special-purpose: 10.1.0.0/16 icmp lies in 10.0.0.0/8 (private use, RFC 1918)"]),
        (
            "::ffff:10.1.0.0/112",
            "icmp",
            ["special-purpose: 10.1.0.0/16 icmp lies in 10.0.0.0/8 (private use, RFC 1918)"],
        ),
        ("fd00::1", "icmp", ["special-purpose: fd00::1/128 icmp lies in fc00::/7 (unique local, RFC 4193)"]),
        (
            "198.51.100.1",
            "icmp",
            ["special-purpose: 198.51.100.1/32 icmp lies in 198.51.100.0/24 (documentation, RFC 5737)"],
        ),
        ("127.0.0.1", "icmp", ["loopback: 127.0.0.1/32 icmp is this host itself, which allow never covers"]),
        (
            "64:ff9b::/96",
            "icmp",
            [
                "embedded-ipv4: 64:ff9b::/96 icmp overlaps 64:ff9b::/96 (NAT64, RFC 6052), "
                "which leads on to IPv4 addresses that no rule here judges"
            ],
        ),
        (
            "192.0.0.0/8",
            "icmp",
            [
                "wide: 192.0.0.0/8 icmp is wider than /16",
                "special-purpose: 192.0.0.0/8 icmp includes 192.0.0.0/24 (IETF protocols, RFC 6890), "
                "192.0.2.0/24 (documentation, RFC 5737), 192.31.196.0/24 (AS112, RFC 7535) and 4 more",
            ],
        ),
    ],
)
def test_one_rule(to: str, ports: str, said: list[str]) -> None:
    assert _said(_draft((to, ports))) == said


def test_the_host_itself_may_be_a_peer() -> None:
    for key in ("serve", "peers"):
        assert _said(_draft(("127.0.0.53", "udp/53"), ("::1", "udp/53"), key=key)) == []


def test_prefixes_of_groups_are_told_once() -> None:
    draft = draft_of(FILE.replace("192.0.2.0/25", "0.0.0.0/0").replace("10.30.0.0/16", "group:hamar"))
    told = [(each.where, each.item, each.kind) for each in lint(draft, NOW) if each.where.startswith("groups")]
    assert told == [
        ("groups.hamar", "0.0.0.0/0", RemarkKind.WIDE),
        ("groups.hamar", "0.0.0.0/0", RemarkKind.SPECIAL),
        ("groups.hamar", "2001:db8:77::/48", RemarkKind.SPECIAL),
    ]


@pytest.mark.parametrize(
    ("now", "kind"),
    [(EXPIRY - 14 * _DAY - 1, None), (EXPIRY - 14 * _DAY, "expiring"), (EXPIRY - 1, "expiring"), (EXPIRY, "expired")],
)
def test_expiries(now: int, kind: str | None) -> None:
    expires = ", expires: 2027-06-30T00:00:00Z"
    for draft in (
        _draft(("8.8.8.8", "udp/53"), extra=expires),
        draft_of(f"version: 1\ndata_classes:\n  pii: {{peers: [{{unix: /run/a, reason: r{expires}}}]}}\n"),
    ):
        assert [str(each.kind) for each in lint(draft, now)] == ([kind] if kind else [])
        assert all("2027-06-30T00:00:00Z" in each.problem for each in lint(draft, now))


@pytest.mark.parametrize(
    ("placed", "said"),
    [
        ([("8.8.0.0/16", "tcp/443"), ("8.8.8.0/24", "tcp/80")], []),
        (
            [("8.8.0.0/16", "tcp/443"), ("8.8.8.0/24", "tcp/443")],
            ["shadowed: 8.8.8.0/24 tcp/443 allows nothing that others do not for as long: 8.8.0.0/16 tcp/443"],
        ),
        (
            [("8.8.0.0/16", "tcp/443"), ("8.8.8.0/24", "tcp/443-444")],
            ["overlap: 8.8.8.0/24 tcp/443-444 overlaps 8.8.0.0/16 tcp/443"],
        ),
        (
            [("8.8.0.0/17", "tcp/443-444"), ("8.8.128.0/17", "udp/443, tcp/443"), ("8.8.0.0/16", "tcp/443")],
            [
                "shadowed: 8.8.0.0/16 tcp/443 allows nothing that others do not for as long: "
                "8.8.0.0/17 tcp/443-444, 8.8.128.0/17 tcp/443,udp/443"
            ],
        ),
        (
            [("8.8.8.0/24", "tcp/443"), ("group:hall", "tcp/443")],
            ["shadowed: 8.8.8.0/24 tcp/443 allows nothing that others do not for as long: group:hall tcp/443"],
        ),
        (
            [("8.8.8.0/24", "tcp/1-9"), ("8.8.8.0/24", "tcp/1-4"), ("8.8.8.0/24", "tcp/5-9")],
            [
                "shadowed: 8.8.8.0/24 tcp/1-4 allows nothing that others do not for as long: 8.8.8.0/24 tcp/1-9",
                "shadowed: 8.8.8.0/24 tcp/1-9 allows nothing that others do not for as long: "
                "8.8.8.0/24 tcp/1-4, 8.8.8.0/24 tcp/5-9",
                "shadowed: 8.8.8.0/24 tcp/5-9 allows nothing that others do not for as long: 8.8.8.0/24 tcp/1-9",
            ],
        ),
    ],
)
def test_rules_and_others(placed: list[tuple[str, str]], said: list[str]) -> None:
    assert _said(_draft(*placed)) == said


def test_a_rule_that_ends_earlier_shadows_nothing() -> None:
    wide, narrow = "{to: 8.8.0.0/16, ports: [udp/53], reason: r", "{to: 8.8.8.0/24, ports: [udp/53], reason: r"
    head, soon = "version: 1\ndata_classes:\n  pii:\n    allow: ", ", expires: 2027-06-30T00:00:00Z"
    temporary = draft_of(f"{head}[{wide}{soon}}}, {narrow}}}]\n")
    assert [each.kind for each in lint(temporary, NOW)] == [RemarkKind.OVERLAP]
    assert [each.kind for each in lint(temporary, EXPIRY)] == [RemarkKind.EXPIRED]
    lasting = draft_of(f"{head}[{wide}}}, {narrow}{soon}}}]\n")
    assert [each.kind for each in lint(lasting, NOW)] == [RemarkKind.SHADOWED]


@settings(max_examples=100, deadline=None)
@given(rules)
def test_what_is_shadowed_can_be_left_out(found: tuple[Rule, ...]) -> None:
    one = draft_of("version: 1\ndata_classes:\n  pii: {}\n").classes[0]
    distinct = tuple({rule.target: rule for rule in found}.values())
    result = redundancy(distinct, GROUPS)
    whole = Draft((replace(one, allow=distinct),), GROUPS)
    for position in range(len(distinct)):
        left = distinct[:position] + distinct[position + 1 :]
        without = Draft((replace(one, allow=left),), GROUPS)
        assert result.shadowed(position) == (not widenings(without, whole))
    for here, there in product(range(len(distinct)), repeat=2):
        assert (there in result.shares[here]) == (here in result.shares[there])


def test_remarks_know_the_line_of_their_rule() -> None:
    source = read(FILE, "p.yaml", now=NOW)
    findings = [source.finding(each) for each in lint(source.draft, EXPIRY - 1)]
    lines = FILE.splitlines()
    assert len(findings) == 7
    for finding in findings:
        assert finding.problem.split()[0].split(":")[-1].split("/")[0] in lines[finding.line - 1]
    assert str(findings[0]).startswith("p.yaml:9: data_classes.eea-user-data.allow[0]: 10.20.0.0/16 ")


def test_special_purpose_ranges_are_apart_and_known() -> None:
    assert special.around(parse_prefix("8.8.8.8")) == ""
    assert special.around(parse_prefix("10.0.0.0/8")).startswith("10.0.0.0/8 ")
    assert len(special.within(ALL_IPV4)) == 17
    assert len(special.within(parse_prefix("::/0"))) == 11

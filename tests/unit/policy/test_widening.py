"""What widens: by examples, and against asking the evaluator every question of a small world."""

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from landfast.policy.evaluate import Question, evaluate
from landfast.policy.model import ClassDraft, Draft, ForbiddenCalls, Loopback, Mode, Policy, Rule, StalePolicy
from landfast.policy.ports import ANY, ICMP, Ports, merge
from landfast.policy.succession import succeed
from landfast.policy.widening import SETTINGS, widenings
from landfast.verdict import Verdict
from tests.unit.policy.examples import FILE, draft_of, policy_of, with_rules
from tests.unit.policy.strategies import drafts

PREFIXES = ["10.0.0.0/31", "10.0.0.0/30", "10.0.0.1/32", "10.0.0.2/31", "2001:db8::/127", "2001:db8::1/128", "::/1"]
ADDRESSES = ["10.0.0.0", "10.0.0.1", "10.0.0.3", "2001:db8::", "2001:db8::1", "::7", "192.0.2.9"]
PORTS = [ANY, ICMP, Ports(6, 1, 2), Ports(6, 2, 2), Ports(6, 1, 65535)]
TIMES, NOWS = [None, 100, 200], [0, 100, 200]
rules = st.builds(
    Rule,
    remote=st.sampled_from([*PREFIXES, "group:near", "group:far"]),
    ports=st.lists(st.sampled_from(PORTS), min_size=1, max_size=2).map(merge),
    reason=st.just("test"),
    expires=st.sampled_from(TIMES),
)
rule_lists = st.lists(rules, max_size=3, unique_by=lambda rule: rule.target).map(tuple)


def _class(name: str) -> st.SearchStrategy[ClassDraft]:
    return st.builds(
        ClassDraft,
        name=st.just(name),
        mode=st.sampled_from(Mode),
        loopback=st.sampled_from(Loopback),
        forbidden_calls=st.just(ForbiddenCalls.KILL),
        on_stale_policy=st.just(StalePolicy.HOLD),
        select=st.just(()),
        allow=rule_lists,
        serve=rule_lists,
        peers=rule_lists,
        unix_peers=st.just(()),
    )


members = st.lists(st.sampled_from(PREFIXES), min_size=1, max_size=3, unique=True).map(tuple)
groups = st.fixed_dictionaries({"near": members, "far": members})
small = st.builds(
    Draft, st.lists(st.sampled_from("ab"), unique=True).flatmap(lambda s: st.tuples(*map(_class, s))), groups
)


@st.composite
def edited(draw: st.DrawFn, draft: Draft) -> Draft:
    """Often only one thing is otherwise, so that an answer hangs on it."""
    if not draft.classes or draw(st.booleans()):
        return draw(small)
    one = draft.classes[0]
    key = draw(st.sampled_from(["allow", "serve", "peers"]))
    return replace(draft, classes=(replace(one, **{key: draw(rule_lists)}), *draft.classes[1:]))


def _questions(policy: Policy) -> Iterator[Question]:
    masks = [1 << bit for bit in policy.bits().values()]
    for tags in {*masks, sum(masks)} - {0}:
        for address, protocol, port, now in product(ADDRESSES, (1, 6, 132), range(4), NOWS):
            asked = Question(tags, address, protocol, port, now=now)
            yield asked
            yield replace(asked, local=True)
            yield replace(asked, local=True, peer_tags=tags)
            for local_port, local in product(range(4), (False, True)):
                yield replace(asked, local_port=local_port, serving=True, local=local)


def _allowed(policy: Policy, question: Question) -> bool:
    return evaluate(policy, question).verdict == Verdict.ALLOW


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_change_widens_when_the_evaluator_newly_allows_something(data: st.DataObject) -> None:
    old = succeed(data.draw(small), succeed(data.draw(small), None))
    draft = data.draw(edited(old.draft()))
    new = succeed(draft, old)
    found = [each for each in widenings(old, draft) if each.key != "mode"]
    assert found == [each for each in widenings(old, new) if each.key != "mode"]
    newly = (each for each in _questions(old) if _allowed(new, each) and not _allowed(old, each))
    assert bool(found) == (next(newly, None) is not None)


def _told(before: Policy | Draft, after: Policy | Draft) -> list[str]:
    return [str(each) for each in widenings(before, after)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("mode: audit", "mode: enforce", []),
        ("    mode: audit\n    loopback: allow\n", "", []),
        ("loopback: allow", "loopback: same-class", []),
        ("    forbidden_calls: audit\n", "", []),
        ("    select:\n", "    mode: audit\n    select:\n", ["eea-user-data mode: enforce -> audit"]),
        ("    select:\n", "    loopback: deny\n    select:\n", []),
        ("    select:\n", "    loopback: allow\n    select:\n", ["eea-user-data loopback: same-class -> allow"]),
        ("    select:\n", "    io_uring: allow\n    select:\n", ["eea-user-data io_uring: deny -> allow"]),
        (
            "    select:\n",
            "    forbidden_calls: audit\n    select:\n",
            ["eea-user-data forbidden_calls: kill -> audit"],
        ),
        ("      - unit: feed-ingest.service\n", "      - unit: feed-ingest.service\n      - unit: b.service\n", []),
        (
            "feed-ingest.service",
            "feed-*.service",
            ["eea-user-data select: unit feed-ingest.service tags nobody any more"],
        ),
        ("10.20.0.0/16", "10.20.128.0/17", []),
        ("10.20.0.0/16", "::ffff:10.20.0.0/112", []),
        (
            "10.20.0.0/16",
            "10.20.0.0/15",
            ["eea-user-data allow: 10.21.0.0/16 tcp/443,tcp/5432,udp/8000-8100, until 2027-06-30T00:00:00Z"],
        ),
        ("tcp/5432, udp/8000-8100", "udp/8000-8050, udp/8051-8100", []),
        ("2027-06-30T00:00:00Z", "2027-06-30T02:00:00+02:00", []),
        ("2027-06-30T00:00:00Z", "2027-06-29T00:00:00Z", []),
        (
            "2027-06-30T00:00:00Z",
            "2027-07-01T00:00:00Z",
            [
                "eea-user-data allow: 10.20.0.0/16 tcp/443,tcp/5432,udp/8000-8100, "
                "until 2027-06-30T00:00:00Z -> until 2027-07-01T00:00:00Z"
            ],
        ),
        (
            "        expires: 2027-06-30T00:00:00Z\n",
            "",
            [
                "eea-user-data allow: 10.20.0.0/16 tcp/443,tcp/5432,udp/8000-8100, "
                "until 2027-06-30T00:00:00Z -> without end"
            ],
        ),
        ("hamar", "hull", []),
        ("192.0.2.0/25", "192.0.2.0/26, 192.0.2.64/26", []),
        ("192.0.2.0/25", "192.0.2.0/24", ["eea-user-data allow: 192.0.2.128/25 tcp/443"]),
        ("tcp/8443", "tcp/8443-8444", ["eea-user-data serve: 10.30.0.0/16 tcp/8444"]),
        ("udp/53, tcp/53", "udp/53", []),
        ("127.0.0.53/32", "127.0.0.52/31", ["eea-user-data peers: 127.0.0.52/32 tcp/53,udp/53"]),
        ("/run/systemd/notify", "/run/log", ["eea-user-data peers: unix:/run/log"]),
        ("10.20.1.0/24\n        ports: [any]", "10.20.1.0/25\n        ports: [tcp/1-65535]", []),
        ("  pii:", "  new: {loopback: allow, allow: [{to: 0.0.0.0/0, ports: [any], reason: r}]}\n  pii:", []),
        ("reason: backups", "reason: something else", []),
    ],
)
def test_one_change(old: str, new: str, told: list[str]) -> None:
    assert old in FILE
    assert _told(draft_of(), draft_of(FILE.replace(old, new))) == told


def test_a_class_that_goes_and_comes_back() -> None:
    first = policy_of()
    without = draft_of(FILE[: FILE.index("  eea-")] + FILE[FILE.index("  pii:") :])
    assert _told(first, without) == [
        "eea-user-data select: cgroup /landfast.slice/eea/* tags nobody any more",
        "eea-user-data select: unit feed-ingest.service tags nobody any more",
    ]
    removed = succeed(without, first)
    back = _told(removed, first.draft())
    assert "eea-user-data loopback: deny -> same-class" in back
    assert "eea-user-data serve: 10.30.0.0/16 tcp/8443" in back
    assert "eea-user-data peers: unix:/run/systemd/notify" in back
    assert (
        _told(
            removed,
            draft_of("version: 1\ndata_classes:\n  eea-user-data: {loopback: deny, on_stale_policy: deny-all}\n"),
        )
        == []
    )


def test_a_class_that_is_renamed_loses_its_selectors() -> None:
    renamed = draft_of(FILE.replace("eea-user-data", "eu-user-data"))
    assert {each.key for each in widenings(draft_of(), renamed)} == {"select"}


def test_serve_adds_nothing_where_everything_may_be_sent() -> None:
    def answering(serve: str, peers: str, loopback: str = "same-class") -> Draft:
        allow = "[{to: 10.0.0.0/8, ports: [any], reason: r}]"
        lists = f"loopback: {loopback}, allow: {allow}, peers: [{peers}], serve: [{serve}]"
        return draft_of(f"version: 1\ndata_classes:\n  pii: {{{lists}}}\n")

    serve, peer = "{from: 10.1.0.0/16, ports: [tcp/8443]", "{to: 10.1.0.0/16, ports: [any], reason: r"
    serve, soon = serve + ", reason: r}", ", expires: 2027-06-30T00:00:00Z"
    assert _told(answering("", "", "allow"), answering(serve, "", "allow")) == []
    assert _told(answering("", peer + "}"), answering(serve, peer + "}")) == []
    assert _told(answering("", ""), answering(serve, "")) == ["pii serve: 10.1.0.0/16 tcp/8443"]
    later = ["pii serve: 10.1.0.0/16 tcp/8443, until 2027-06-30T00:00:00Z -> without end"]
    assert _told(answering("", f"{peer}{soon}}}"), answering(serve, f"{peer}{soon}}}")) == later


def test_unix_peers_last_longer() -> None:
    def until(expiry: str, loopback: str = "same-class") -> Draft:
        peer = f"{{unix: '@a', reason: test{expiry}}}"
        return draft_of(f"version: 1\ndata_classes:\n  pii: {{loopback: {loopback}, peers: [{peer}]}}\n")

    soon, late = ", expires: 2027-06-30T00:00:00Z", ", expires: 2028-06-30T00:00:00Z"
    assert _told(until(late), until(soon)) == _told(until(""), until(late)) == []
    assert _told(until(soon), until("")) == ["pii peers: unix:@a, until 2027-06-30T00:00:00Z -> without end"]
    assert _told(until(soon, "allow"), until("", "allow")) == []


def test_a_prefix_within_one_that_stays_may_move() -> None:
    before = with_rules(("10.0.0.0/16", "tcp/443"), ("10.0.1.0/24", "tcp/443"))
    assert _told(before, with_rules(("10.0.0.0/16", "tcp/443"), ("10.0.7.0/24", "tcp/443"))) == []
    moved = with_rules(("10.0.0.0/16", "tcp/443"), ("10.0.7.0/24", "tcp/443-444"))
    assert _told(before, moved) == ["pii allow: 10.0.7.0/24 tcp/444"]


def test_every_value_of_every_setting_has_its_place() -> None:
    for values in SETTINGS.values():
        assert set(values) == set(type(values[0]))


@settings(max_examples=50, deadline=None)
@given(drafts(), st.sampled_from(["allow", "serve", "peers", "unix_peers"]))
def test_less_is_no_widening(draft: Draft, key: str) -> None:
    assert widenings(draft, draft) == ()
    less = tuple(replace(each, **{key: getattr(each, key)[1:]}) for each in draft.classes)
    assert widenings(draft, replace(draft, classes=less)) == ()


_GROUP = """\
version: 1
data_classes:
  pii:
    allow: [{to: group:hall, ports: [any], reason: test}]
groups:
  hall: [10.0.0.0/12]
"""


def test_thousands_of_prefixes() -> None:
    slash_24s = tuple(f"10.{high}.{low}.0/24" for high, low in product(range(16), range(256)))
    halves = tuple(f"{each[:-4]}{half}/25" for each in slash_24s for half in (0, 128))
    whole, apart, fewer = (
        replace(draft_of(_GROUP), groups={"hall": each}) for each in (("10.0.0.0/12",), halves, halves[2:])
    )
    assert _told(whole, apart) == _told(apart, whole) == _told(whole, fewer) == []
    assert _told(fewer, whole) == ["pii allow: 10.0.0.0/24 any"]

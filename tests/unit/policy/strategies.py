"""Policies in a small world, so that prefixes nest, ports overlap and expiries meet."""

from hypothesis import strategies as st

from landfast.policy.addresses import BITS, Prefix
from landfast.policy.evaluate import Question
from landfast.policy.model import (
    ClassDraft,
    DataClass,
    Draft,
    ForbiddenCalls,
    Loopback,
    Mode,
    Policy,
    Rule,
    Selector,
    SelectorKind,
    StalePolicy,
    UnixPeer,
)
from landfast.policy.order import arrange, arrange_draft
from landfast.policy.ports import ANY, ICMP, Ports, merge

V4 = 0xFFFF << 32
ADDRESSES = [V4, V4 | 0x0A000000, V4 | 0x0A000001, V4 | 0x0A140102, V4 | 0x0AFF0000, V4 | 0xFFFFFFFF]
ADDRESSES += [0, 1, 0x20010DB8 << 96, (0x20010DB8 << 96) | 1, (0x20010DB8 << 96) | (1 << 80), (1 << 128) - 1, V4 - 1]
NAMES = ["eea-user-data", "pii", "audit-log"]
GROUPS = ["hamar", "dublin"]
TIMES = [100, 200, 300]
UNIX_PEERS = ["/run/a", "/run/systemd/notify", "@a"]
NOWS = [0, 99, 100, 150, 200, 299, 300, 1000]
PORTS = [1, 2, 22, 443, 1023, 1024, 8000, 8100, 65534, 65535]


@st.composite
def prefixes(draw: st.DrawFn) -> str:
    address = draw(st.sampled_from(ADDRESSES))
    length = draw(st.integers(96 if address >> 32 == 0xFFFF else 0, BITS))
    kept = address >> (BITS - length) << (BITS - length)
    if kept >> 32 == 0xFFFF and length < 96:
        length = 96
    return str(Prefix(kept, length))


@st.composite
def port_entries(draw: st.DrawFn) -> Ports:
    if draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([ANY, ICMP]))
    ends = sorted((draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS) | st.integers(1, 65535))))
    return Ports(draw(st.sampled_from([6, 17])), *ends)


texts = st.text(st.characters(categories=["L", "N", "P", "S"], include_characters=" "), min_size=1, max_size=12).filter(
    lambda text: text == text.strip() and text.isprintable()
)
expiries = st.none() | st.sampled_from(TIMES)
tickets = st.just("") | texts
rules = st.builds(
    Rule,
    remote=prefixes() | st.sampled_from(["group:" + name for name in GROUPS]),
    ports=st.lists(port_entries(), min_size=1, max_size=3).map(merge),
    reason=texts,
    ticket=tickets,
    expires=expiries,
)
unix_peers = st.builds(UnixPeer, path=st.sampled_from(UNIX_PEERS), reason=texts, ticket=tickets, expires=expiries)
selectors = st.builds(Selector, kind=st.just(SelectorKind.UNIT), pattern=st.sampled_from(["a.service", "b-*.service"]))
selectors |= st.builds(Selector, kind=st.just(SelectorKind.CGROUP), pattern=st.sampled_from(["/lf", "/lf.slice/[ab]*"]))


def _few(of: st.SearchStrategy[Rule], most: int = 4) -> st.SearchStrategy[tuple[Rule, ...]]:
    return st.lists(of, max_size=most, unique_by=lambda rule: rule.target).map(tuple)


def class_drafts(name: str) -> st.SearchStrategy[ClassDraft]:
    return st.builds(
        ClassDraft,
        name=st.just(name),
        description=st.just("") | texts,
        mode=st.sampled_from(Mode),
        loopback=st.sampled_from(Loopback),
        forbidden_calls=st.sampled_from(ForbiddenCalls),
        on_stale_policy=st.sampled_from(StalePolicy),
        select=st.lists(selectors, max_size=2, unique=True).map(tuple),
        allow=_few(rules),
        serve=_few(rules, 2),
        peers=_few(rules, 2),
        unix_peers=_few(unix_peers, 2),
    )


@st.composite
def drafts(draw: st.DrawFn) -> Draft:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    groups = {name: tuple(draw(st.lists(prefixes(), min_size=1, max_size=4, unique=True))) for name in GROUPS}
    return arrange_draft(Draft(tuple(draw(class_drafts(name)) for name in names), groups))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Bits are spread, so that masks cross no convenient boundary."""
    draft = draw(drafts())
    bits = draw(st.lists(st.sampled_from([0, 1, 31, 32, 63]), min_size=4, max_size=4, unique=True))
    classes = tuple(
        DataClass(**{name: getattr(each, name) for name in each.__struct_fields__}, bit=bit)
        for each, bit in zip(draft.classes, bits, strict=False)
    )
    return arrange(Policy(draw(st.integers(1, 9)), classes, draft.groups, {"gone": bits[3]}))


@st.composite
def questions(draw: st.DrawFn, policy: Policy) -> Question:
    """Mostly about classes that exist and addresses near those of the rules."""
    known = [each.bit for each in policy.classes] + list(policy.retired.values())
    local = draw(st.booleans())
    unix = draw(st.just("") | st.sampled_from([*UNIX_PEERS, "@nobody"])) if local else ""
    address = draw(st.sampled_from(ADDRESSES)) ^ draw(st.just(0) | st.integers(0, 31).map(lambda bit: 1 << bit))
    return Question(
        tags=sum(1 << bit for bit in draw(st.sets(st.sampled_from(known), max_size=3))),
        remote="" if unix else address.to_bytes(16),
        protocol=draw(st.sampled_from([1, 6, 17, 136])),
        remote_port=draw(st.sampled_from([0, 3, 444, *PORTS])),
        local_port=draw(st.sampled_from([0, *PORTS])),
        serving=not unix and draw(st.booleans()),
        local=local,
        peer_tags=draw(st.none() | st.sets(st.sampled_from(known)).map(lambda bits: sum(1 << bit for bit in bits))),
        now=draw(st.sampled_from(NOWS)),
        unix=unix,
    )

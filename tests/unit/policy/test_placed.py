"""Which prefixes stand alone, beside the definition of it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.policy.addresses import ALL_IPV4, Prefix, parse_prefix
from landfast.policy.entries import Entry
from landfast.policy.flatten import RuleSet
from landfast.policy.layout import DEST, DEST_KEY
from landfast.policy.placed import Placed
from landfast.policy.prefixes import parse_prefixes
from landfast.verdict import Space
from tests.unit.policy.strategies import prefixes

_FAR = [
    f"{first}.{second}.0.0/{length}" for first in (7, 127, 128, 200, 255) for second in (0, 128) for length in (9, 16)
]


def _holds(outer: Prefix, inner: Prefix) -> bool:
    """By their bits alone, as the kernel's trie does: IPv6 goes around IPv4."""
    return outer.length <= inner.length and (outer.address ^ inner.address) >> (128 - outer.length) == 0


def _is_alone(at: int, every: list[Prefix]) -> bool:
    one, others = every[at], [*every[:at], *every[at + 1 :]]
    around_ipv4 = one.length < ALL_IPV4.length and _holds(one, ALL_IPV4)
    return not around_ipv4 and not any(_holds(one, other) or _holds(other, one) for other in others)


@settings(deadline=None)
@given(st.lists(prefixes() | st.sampled_from(_FAR), max_size=12), st.integers(0, 12))
def test_alone_is_what_has_nothing_to_do_with_another(texts: list[str], cut: int) -> None:
    placed = Placed([(parse_prefixes(texts[:cut]), (1, 3)), (parse_prefixes(texts[cut:]), (2,))])
    every, alone = [parse_prefix(text) for text in texts], placed.alone()
    rules = [(1, 3) if at < cut else (2,) for at in range(len(every))]
    apart = {at for at in range(len(every)) if _is_alone(at, every)}
    found = placed.entries(alone, Space.SERVE, lambda rules: bytes(rules).ljust(DEST.size, b"\0"))
    assert [*found] == [_entry(each, of) for each, of in sorted((every[at], rules[at]) for at in apart)]
    others = [(every[at], rule) for at in range(len(every)) if at not in apart for rule in rules[at]]
    assert sorted(placed.blocks(~alone)) == sorted(others)


def _entry(prefix: Prefix, rules: RuleSet) -> Entry:
    key = DEST_KEY.pack(32 + prefix.length, Space.SERVE, prefix.packed)
    return key, bytes(rules).ljust(DEST.size, b"\0")

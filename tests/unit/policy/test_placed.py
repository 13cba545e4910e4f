"""Which prefixes others lie in, and which of those a prefix lies in, beside the definition of it."""

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


def _is_wide(at: int, every: list[Prefix]) -> bool:
    return any(_holds(every[at], other) for other in [*every[:at], *every[at + 1 :], ALL_IPV4])


def _dest(*rules: RuleSet) -> bytes:
    return bytes([each for of in rules for each in (*of, 0)]).ljust(DEST.size, b"\0")


@settings(deadline=None)
@given(st.lists(prefixes() | st.sampled_from(_FAR), max_size=12), st.integers(0, 12))
def test_wide_is_what_others_lie_in(texts: list[str], cut: int) -> None:
    placed, every = _placed(texts, cut), [parse_prefix(text) for text in texts]
    wide, apart = placed.wide(), [at for at in range(len(every)) if not _is_wide(at, every)]
    around = sorted({each for each in every if each not in {every[at] for at in apart}})
    blocks = [((each.address, each.length), (index,)) for index, each in enumerate(around)]
    expected = [_entry(every[at], around, _rules(at, cut)) for at in sorted(apart, key=every.__getitem__)]
    assert [*placed.entries(~wide, Space.SERVE, blocks, _dest)] == expected
    others = [(every[at], rule) for at in range(len(every)) if at not in apart for rule in _rules(at, cut)]
    assert sorted(placed.blocks(wide)) == sorted(others)


def _rules(at: int, cut: int) -> RuleSet:
    return (1, 3) if at < cut else (2,)


def _placed(texts: list[str], cut: int) -> Placed:
    return Placed([(parse_prefixes(texts[:cut]), _rules(0, 1)), (parse_prefixes(texts[cut:]), _rules(1, 1))])


def _entry(prefix: Prefix, around: list[Prefix], rules: RuleSet) -> Entry:
    """`around` ascends, so the innermost one comes last."""
    innermost = [index for index, outer in enumerate(around) if _holds(outer, prefix)][-1:]
    return DEST_KEY.pack(32 + prefix.length, Space.SERVE, prefix.packed), _dest(tuple(innermost), rules)

"""Many prefixes at once are what they are one by one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landfast.policy.addresses import Prefix, parse_prefix
from landfast.policy.errors import InvalidError
from landfast.policy.prefixes import Prefixes, are_normal, parse_prefixes
from tests.unit.policy.strategies import prefixes

_NORMAL = "10.0.0.0/8 0.0.0.0/0 255.255.255.255/32 2001:db8::/32 64:ff9b::/96 ff00::/8 2001:db8::1/128"
_UNUSUAL = """
    10.1.2.3 10.20.1.0/16 10.0.0.0/33 10.0.0.0/08 10.0.0.0/8/8 10.0.0.0/\u0668 010.0.0.0/8 10.0.0/24 abcd/32 /8
    ::1 ::/129 ::1.2.3.4/128 ::ffff:10.0.0.0/104 0:0::ffff:a00:0/104 2001:DB8::/32 2001:db8:0::/48 2001:db8::1/64
    fe80::1%eth0/128 group:hamar api.example.org
"""
spellings = st.sampled_from(_UNUSUAL.split())
odd = st.text("0123456789abf.:/%", max_size=20)


def _one_by_one(texts: list[str]) -> list[Prefix] | None:
    try:
        return sorted(map(parse_prefix, texts))
    except InvalidError:
        return None


def _unpacked(packed: Prefixes) -> list[Prefix]:
    numbers = [int.from_bytes(packed.addresses[at : at + 16]) for at in range(0, len(packed.addresses), 16)]
    return sorted(map(Prefix._make, zip(numbers, packed.lengths, strict=True)))


def _at_once(texts: list[str]) -> list[Prefix] | None:
    try:
        return _unpacked(parse_prefixes(texts))
    except InvalidError:
        return None


@given(st.lists(prefixes(), max_size=5) | st.lists(prefixes() | spellings | odd, max_size=5))
def test_parsed_at_once_as_one_by_one(texts: list[str]) -> None:
    assert _at_once(texts) == _one_by_one(texts)


@given(st.lists(prefixes() | spellings | odd, max_size=3))
@example(["10.0.0.0/8/10.0.0.0", "8"])
@example(["::ffff:0:0/96"])
@example(["::102:304/128"])
def test_what_is_called_normal_is(texts: list[str]) -> None:
    if are_normal(texts):
        assert [str(parse_prefix(text)) for text in texts] == texts


def test_the_usual_is_called_normal() -> None:
    """Else a large group is checked one by one, which takes several times as long."""
    assert are_normal(_NORMAL.split())
    assert are_normal(())


@pytest.mark.parametrize("text", ["10.1.2.3", "10.0.0.1/8", "2001:DB8::/32", "::ffff:10.0.0.0/104", "group:hamar"])
def test_one_that_is_not_normal_is_seen_among_many(text: str) -> None:
    assert not are_normal([*_NORMAL.split(), text])
    assert not are_normal([text, *_NORMAL.split()])

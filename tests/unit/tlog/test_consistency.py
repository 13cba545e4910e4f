"""That a tree goes on from an older one: proofs, against the definition."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.tlog import consistency, merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.tree import Tree
from tests.unit.tlog import naive

_EDGES = (0, 1, 2, 3, 255, 256, 257, 511, 512, 513)


def _entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def _checkpoint(entries: list[bytes]) -> Checkpoint:
    return Checkpoint("a/log", len(entries), naive.root(entries))


def _proof(old: int, entries: list[bytes]) -> list[bytes]:
    return consistency.prove(Tree(_checkpoint(entries), naive.reader(naive.published(entries))), old)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_proof_is_that_of_the_definition_and_holds(data: st.DataObject) -> None:
    new = data.draw(st.integers(0, 700) | st.sampled_from(_EDGES))
    old = data.draw(st.integers(0, new))
    entries = _entries(new)
    proof = _proof(old, entries)
    assert proof == naive.consistency(old, entries)
    consistency.check(_checkpoint(entries[:old]), _checkpoint(entries), proof)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nothing_else_is_proved(data: st.DataObject) -> None:
    new = data.draw(st.integers(2, 300))
    old = data.draw(st.integers(1, new - 1))
    entries = _entries(new)
    other = [*entries[: old - 1], b"another", *entries[old:]]
    proof, before, after = _proof(old, entries), _checkpoint(entries[:old]), _checkpoint(entries)
    at = data.draw(st.integers(0, len(proof) - 1))
    flipped = [*proof[:at], merkle.node_hash(proof[at], proof[at]), *proof[at + 1 :]]
    broken = [
        (before, after, flipped),
        (before, after, proof[:-1]),
        (before, after, proof[1:]),
        (before, after, [*proof, merkle.EMPTY]),
        (before, after, []),
        (_checkpoint(other[:old]), after, proof),
        (_checkpoint(other[:old]), after, naive.consistency(old, other)),
        (before, _checkpoint(other), proof),
        (before, _checkpoint(other), naive.consistency(old, other)),
        (_checkpoint(entries[: old - 1]), after, proof),
        (after, before, proof),
        (before, Checkpoint("a/log", old, after.root), []),
    ]
    for old_one, new_one, hashes in broken:
        with pytest.raises(TlogError):
            consistency.check(old_one, new_one, hashes)


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [
        (Checkpoint("a/log", 0, merkle.EMPTY), _checkpoint(_entries(3)), [merkle.EMPTY]),
        (Checkpoint("a/log", 0, merkle.EMPTY), Checkpoint("a/log", 0, bytes(32)), []),
        (_checkpoint(_entries(3)), _checkpoint(_entries(3)), [merkle.EMPTY]),
    ],
)
def test_what_needs_no_proof_has_none(old: Checkpoint, new: Checkpoint, proof: list[bytes]) -> None:
    with pytest.raises(TlogError):
        consistency.check(old, new, proof)


def test_a_proof_is_made_of_few_tiles() -> None:
    entries = _entries(70_000 // 64)
    read, asked = naive.recording(naive.reader(naive.published(entries)))
    consistency.prove(Tree(_checkpoint(entries), read), 300)
    assert sorted(asked) == ["tile/0/001", "tile/0/004.p/69", "tile/1/000.p/4"]

"""Proofs that a tree goes on from an older one of itself: RFC 6962, section 2.1.2."""

from collections.abc import Sequence

from landfast.tlog import merkle
from landfast.tlog.checkpoint import Checkpoint
from landfast.tlog.errors import TlogError
from landfast.tlog.tree import Tree


def prove(tree: Tree, old: int) -> list[bytes]:
    """The hashes that lead from the tree of the first `old` entries to `tree`. None are needed from the empty one."""
    return _between(tree, old, 0, tree.size, True) if old else []


def check(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Raises TlogError unless `proof` shows that the tree of `new` begins with that of `old`."""
    if old.size > new.size:
        raise TlogError(f"a tree of {new.size} entries does not go on from one of {old.size}")
    if old.size or not new.size:
        roots = _roots(old.root, old.size, new.size, True, proof)
    else:
        roots = None if proof else (merkle.EMPTY, new.root)
    if roots != (old.root, new.root):
        raise TlogError(f"it is not proved that the tree of {new.size} entries goes on from the one of {old.size}")


def _between(tree: Tree, old: int, begin: int, end: int, known: bool) -> list[bytes]:
    """SUBPROOF of the RFC, over the leaves from `begin` to below `end`; `known`: the verifier has the root of it."""
    if old == end:
        return [] if known else [tree.root_of(begin, end)]
    middle = begin + _split(end - begin)
    if old <= middle:
        return [*_between(tree, old, begin, middle, known), tree.root_of(middle, end)]
    return [*_between(tree, old, middle, end, False), tree.root_of(begin, middle)]


def _roots(root: bytes, old: int, new: int, known: bool, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The roots of both trees, where the hashes lead: the inverse of `_between`. `root` is that of the old tree.

    None when the hashes are too many or too few.
    """
    if old == new:
        own = [root, *proof] if known else proof
        return (own[0], own[0]) if len(own) == 1 else None
    if not proof:
        return None
    middle, last = _split(new), proof[-1]
    if old <= middle:
        below = _roots(root, old, middle, known, proof[:-1])
        return below and (below[0], merkle.node_hash(below[1], last))
    below = _roots(root, old - middle, new - middle, False, proof[:-1])
    return below and (merkle.node_hash(last, below[0]), merkle.node_hash(last, below[1]))


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1

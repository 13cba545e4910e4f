"""Prefixes with their rules, by the hundred thousand: few have others in them, and numpy sees to the rest."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landfast.policy.addresses import ALL_IPV4
from landfast.policy.entries import Entries
from landfast.policy.flatten import Block, RuleSet
from landfast.policy.layout import DEST
from landfast.policy.prefixes import HOST_BITS, Prefixes
from landfast.verdict import Space

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Chosen = NDArray[np.bool_]
    _Addresses = NDArray[np.bytes_]
    _Lengths = NDArray[np.uint8]

_KEY = np.dtype([("prefixlen", "u4"), ("space", "u4"), ("address", "V16")])  # struct lf_dest_key
_HOST_BITS = np.frombuffer(b"".join(HOST_BITS), "u1").reshape(-1, 16)


class Placed:
    """Prefixes in ascending order, a wider one before what it begins with, each with the rules that place it."""

    def __init__(self, sources: Sequence[tuple[Prefixes, RuleSet]]) -> None:
        addresses = np.frombuffer(b"".join(prefixes.addresses for prefixes, _ in sources), "S16")
        lengths = np.frombuffer(b"".join(prefixes.lengths for prefixes, _ in sources), "u1")
        low, high = addresses.view(">u8").reshape(-1, 2).T[::-1].astype("u8")
        order = np.lexsort((lengths, low, high))
        self._addresses, self._lengths = addresses[order], lengths[order]
        self._origins = np.repeat(range(len(sources)), [len(prefixes.lengths) for prefixes, _ in sources])[order]
        self._rules = [rules for _, rules in sources]

    def wide(self) -> "Chosen":
        """Which prefixes have another one in them, an equal one, or all of IPv4."""
        first, last, lengths = self._addresses, _last(self._addresses, self._lengths), self._lengths
        ipv4 = ALL_IPV4.packed
        wide: Chosen = (first <= ipv4) & (ipv4 <= last) & (lengths <= ALL_IPV4.length)
        wide[:-1] |= last[:-1] >= first[1:]  # the next one lies in it
        wide[1:] |= (first[1:] == first[:-1]) & (lengths[1:] == lengths[:-1])
        return wide

    def blocks(self, chosen: "Chosen") -> Iterator[tuple[Block, int]]:
        """Each chosen prefix with the number of each of its rules."""
        addresses, lengths = self._addresses[chosen].view("V16").tolist(), self._lengths[chosen].tolist()
        for address, length, origin in zip(addresses, lengths, self._origins[chosen], strict=True):
            yield from (((int.from_bytes(address), length), number) for number in self._rules[origin])

    def entries(
        self,
        chosen: "Chosen",
        space: Space,
        around: Sequence[tuple[Block, RuleSet]],
        dest: Callable[[RuleSet, RuleSet], bytes],
    ) -> Entries:
        """Each chosen prefix, none of them wide, as struct lf_dest_key, with what `dest` makes of two sets of rules.

        The first is that of the innermost block of `around`, which ascends, that it lies in; the second is its own.
        """
        keys = np.empty(np.count_nonzero(chosen), _KEY)
        keys["prefixlen"] = self._lengths[chosen] + np.uint32(32)
        keys["space"] = space
        keys["address"] = self._addresses[chosen].view("V16")
        outer = [(), *(rules for _, rules in around)]
        pairs = self._origins[chosen] * len(outer) + _innermost(self._addresses[chosen], [block for block, _ in around])
        distinct, own = np.unique(pairs, return_inverse=True)
        values = [dest(outer[pair % len(outer)], self._rules[pair // len(outer)]) for pair in distinct.tolist()]
        return Entries(len(keys), keys.tobytes(), np.array(values, f"V{DEST.size}")[own].tobytes())


def _last(first: "_Addresses", lengths: "_Lengths") -> "_Addresses":
    """The last address of each prefix."""
    last: _Addresses = (first.view("u1").reshape(-1, 16) | _HOST_BITS[lengths]).view("S16").ravel()
    return last


def _innermost(addresses: "_Addresses", around: Sequence[Block]) -> "NDArray[np.int64]":
    """For each address which of the blocks it lies in, counted from 1, is the innermost; 0 for none. All ascend."""
    found = np.zeros(len(addresses), "i8")
    first = np.array([address.to_bytes(16) for address, _ in around], "S16")
    last = _last(first, np.array([length for _, length in around], "u1"))
    begins, ends = np.searchsorted(addresses, first), np.searchsorted(addresses, last, "right")
    for number, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True), 1):
        found[begin:end] = number
    return found

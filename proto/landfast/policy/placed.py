"""Prefixes with their rules, by the hundred thousand: nearly all stand alone, and numpy tells them from the rest."""

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

_KEY = np.dtype([("prefixlen", "u4"), ("space", "u4"), ("address", "V16")])  # struct lf_dest_key
_HOST_BITS = np.frombuffer(b"".join(HOST_BITS), "u1").reshape(-1, 16)


class Placed:
    """Prefixes in ascending order, a wider one before what it begins with, each with the rules that place it."""

    def __init__(self, sources: Sequence[tuple[Prefixes, RuleSet]]) -> None:
        addresses = np.frombuffer(b"".join(prefixes.addresses for prefixes, _ in sources), "S16")
        lengths = np.frombuffer(b"".join(prefixes.lengths for prefixes, _ in sources), "u1")
        order = np.lexsort((lengths, addresses))
        self._addresses, self._lengths = addresses[order], lengths[order]
        self._origins = np.repeat(range(len(sources)), [len(prefixes.lengths) for prefixes, _ in sources])[order]
        self._rules = [rules for _, rules in sources]

    def alone(self) -> "Chosen":
        """Which prefixes lie neither in nor around another one, or all of IPv4, and are no other's equal."""
        first, ipv4 = self._addresses, ALL_IPV4.packed
        last = (first.view("u1").reshape(-1, 16) | _HOST_BITS[self._lengths]).view("S16").ravel()
        around_ipv4: Chosen = (first <= ipv4) & (ipv4 <= last) & (self._lengths < ALL_IPV4.length)
        around = np.flatnonzero(last[:-1] >= first[1:])  # the next one lies in each of these
        steps = np.zeros(len(first) + 1, "i8")
        np.add.at(steps, around, 1)
        np.add.at(steps, np.searchsorted(first, last[around], side="right"), -1)
        nested: Chosen = np.cumsum(steps[:-1]) > 0
        return ~(nested | around_ipv4)

    def blocks(self, chosen: "Chosen") -> Iterator[tuple[Block, int]]:
        """Each chosen prefix with the number of each of its rules."""
        addresses, lengths = self._addresses[chosen].view("V16").tolist(), self._lengths[chosen].tolist()
        for address, length, origin in zip(addresses, lengths, self._origins[chosen], strict=True):
            yield from (((int.from_bytes(address), length), number) for number in self._rules[origin])

    def entries(self, chosen: "Chosen", space: Space, dest: Callable[[RuleSet], bytes]) -> Entries:
        """Each chosen prefix as struct lf_dest_key, with what `dest` makes of its rules."""
        keys = np.empty(np.count_nonzero(chosen), _KEY)
        keys["prefixlen"] = self._lengths[chosen] + np.uint32(32)
        keys["space"] = space
        keys["address"] = self._addresses[chosen].view("V16")
        origins, own = np.unique(self._origins[chosen], return_inverse=True)
        values = np.array([dest(self._rules[origin]) for origin in origins], f"V{DEST.size}")
        return Entries(len(keys), keys.tobytes(), values[own].tobytes())

"""Flattening: a longest-prefix lookup answers with one entry, so each entry must hold what all wider ones allow too."""

from collections.abc import Iterator, Mapping

Block = tuple[int, int]  # first value, prefix length
RuleSet = tuple[int, ...]  # rule numbers, ascending


class Unions:
    """Unions of rule sets. Equal ones are one object: thousands of prefixes share few sets."""

    def __init__(self) -> None:
        self._known: dict[tuple[RuleSet, RuleSet], RuleSet] = {}

    def of(self, first: RuleSet, second: RuleSet) -> RuleSet:
        if not first or not second:
            return first or second
        key = first, second
        if key not in self._known:
            self._known[key] = tuple(sorted({*first, *second}))
        return self._known[key]


def flatten(
    own: Mapping[Block, RuleSet], width: int, unions: Unions, barrier: Block | None = None
) -> Iterator[tuple[Block, RuleSet]]:
    """Each block with its own rules and those of all blocks around it, in ascending order.

    `width` is the number of bits of a value. Nothing is inherited through `barrier`, a block of `own`.
    """
    around: list[tuple[int, RuleSet]] = []
    for block in sorted(own):
        first, length = block
        while around and around[-1][0] <= first:
            around.pop()
        inherited = around[-1][1] if around and block != barrier else ()
        rules = unions.of(inherited, own[block])
        around.append((first + (1 << (width - length)), rules))
        yield block, rules

"""Grants: the classes that a set of rules allows, and until when, as struct lf_grant."""

from collections.abc import Iterable

from landfast.policy.errors import InvalidError
from landfast.policy.flatten import RuleSet
from landfast.policy.layout import CLASSES, GRANT, INSTANTS, TIMED_SET, TIMED_SETS
from landfast.policy.numbering import NumberedRule

_PERMANENT = INSTANTS  # later than any index of an instant
_Timed = tuple[tuple[int, int], ...]  # (class bit, index of its instant)


class Grants:
    """Packs grants of rules by number, and gathers the instants and timed sets that they name."""

    def __init__(self, rules: Iterable[NumberedRule]) -> None:
        numbered = tuple(rules)
        self.instants = sorted({each.rule.expires for each in numbered if each.rule.expires is not None})
        if len(self.instants) > INSTANTS:
            raise _too_many("expiry times", len(self.instants), "LF_INSTANTS", INSTANTS)
        index = {instant: at for at, instant in enumerate(self.instants)}
        self._until = {each.number: (each.owner.bit, _instant(each, index)) for each in numbered}
        self._sets: dict[_Timed, int] = {(): 0}
        self._packed: dict[RuleSet, bytes] = {}

    def pack(self, rules: RuleSet) -> bytes:
        """The grant of all `rules` together: a class is free of time if one of them is, else until the latest."""
        if rules not in self._packed:
            self._packed[rules] = self._pack(rules)
        return self._packed[rules]

    def _pack(self, rules: RuleSet) -> bytes:
        until: dict[int, int] = {}
        for number in rules:
            bit, instant = self._until[number]
            until[bit] = max(until.get(bit, 0), instant)
        timed = tuple(sorted((bit, instant) for bit, instant in until.items() if instant != _PERMANENT))
        timed_mask = sum(1 << bit for bit, _ in timed)
        mask = sum(1 << bit for bit in until) ^ timed_mask
        return GRANT.pack(mask, timed_mask, self._timed_set(timed), rules[0] if len(rules) == 1 else 0)

    def _timed_set(self, timed: _Timed) -> int:
        index = self._sets.setdefault(timed, len(self._sets))
        if index >= TIMED_SETS:
            raise _too_many("combinations of classes and expiry times", index + 1, "LF_TIMED_SETS", TIMED_SETS)
        return index

    def timed_sets(self) -> list[tuple[int, bytes]]:
        """Every timed set but the empty one, by index, as struct lf_timed_set."""
        return [(index, _pack_set(timed)) for timed, index in self._sets.items() if timed]


def _instant(each: NumberedRule, index: dict[int, int]) -> int:
    return _PERMANENT if each.rule.expires is None else index[each.rule.expires]


def _pack_set(timed: _Timed) -> bytes:
    instants = [0] * CLASSES
    for bit, instant in timed:
        instants[bit] = instant
    return TIMED_SET.pack(*instants)


def _too_many(what: str, count: int, limit: str, most: int) -> InvalidError:
    return InvalidError(
        f"at least {count} distinct {what}: the kernel holds {most} ({limit})", "give rules common expiries"
    )

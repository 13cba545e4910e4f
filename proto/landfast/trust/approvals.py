"""Which approvals a change of the policy takes. Kept in the root metadata, so that agents know it from there alone."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Self

import msgspec
from msgspec import Struct

from landfast.trust.errors import TrustError

#: Of the root metadata, beside what TUF defines.
FIELD = "x-landfast-approvals"


class Approvals(Struct, frozen=True, forbid_unknown_fields=True):
    """Groups of approvers by name, and how many of each a change takes: one that widens, and one that only narrows.

    Until groups are configured one approval is enough, also the proposer's own. From then on the proposer never
    counts, and nobody counts twice, whatever groups they are in.
    """

    groups: dict[str, tuple[str, ...]] = {}
    widening: dict[str, int] = {}
    narrowing: dict[str, int] = {}

    @classmethod
    def from_root(cls, fields: Mapping[str, Any]) -> Self:
        """As the unrecognized fields of root metadata hold it. Raises TrustError for what it cannot be."""
        try:
            found = msgspec.convert(fields.get(FIELD, {}), cls)
        except msgspec.ValidationError as error:
            raise TrustError(f"root metadata: {FIELD}: {error}; have it signed anew by this version") from None
        found.check()
        return found

    def to_root(self) -> dict[str, Any]:
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return {FIELD: fields}

    def check(self) -> None:
        """Raises TrustError when no change could ever be approved, or anybody could approve one."""
        for kind, required in (("widening", self.widening), ("narrowing", self.narrowing)):
            if unknown := sorted(required.keys() - self.groups.keys()):
                raise TrustError(
                    f"approvals: {kind}: there is no group {unknown[0]!r}; name one of {_list(self.groups)}"
                )
            if self.groups and (not required or min(required.values()) < 1):
                raise TrustError(f"approvals: {kind}: it takes nobody's approval; ask at least one group for one")
            everybody = {each for members in self.groups.values() for each in members}
            if missing := self._unmet(required, everybody):
                raise TrustError(
                    f"approvals: {kind}: {_count(missing)} more than there are; add members, or ask for fewer"
                )

    @property
    def fewest(self) -> int:
        """How many signatures any change takes: TUF's threshold of the targets role."""
        return min(sum(self.widening.values()), sum(self.narrowing.values())) or 1

    def unmet(self, approvers: Collection[str], proposer: str, *, widens: bool, breaker: str = "") -> dict[str, int]:
        """How many approvals are still missing, by group; empty when the change is approved.

        `breaker` has broken the glass in the version before: it is for others to look at that.
        """
        if not self.groups:
            return {} if approvers else {"any approver": 1}
        return self._unmet(self.widening if widens else self.narrowing, {*approvers} - {proposer, breaker})

    def _unmet(self, required: Mapping[str, int], approvers: Collection[str]) -> dict[str, int]:
        """Gives each approver one of the places that their groups have, as many as fit (a maximum matching)."""
        places = [group for group in sorted(required) for _ in range(required[group])]
        taken: dict[int, str] = {}
        for each in sorted(approvers):
            self._seat(each, places, taken, set())
        free = [group for at, group in enumerate(places) if at not in taken]
        return {group: free.count(group) for group in dict.fromkeys(free)}

    def _seat(self, approver: str, places: list[str], taken: dict[int, str], tried: set[int]) -> bool:
        for at, group in enumerate(places):
            if at in tried or approver not in self.groups[group]:
                continue
            tried.add(at)
            if at not in taken or self._seat(taken[at], places, taken, tried):
                taken[at] = approver
                return True
        return False


def words(unmet: Mapping[str, int], who: Mapping[str, Collection[str]] = MappingProxyType({})) -> str:
    """Who still has to approve, for people: "1 of privacy and 2 of sre (alice, bob)", where `who` could is known."""
    named = {group: f"{group} ({', '.join(who[group])})" if who.get(group) else group for group in unmet}
    return _count({named[group]: number for group, number in unmet.items()})


def _count(required: Mapping[str, int]) -> str:
    return " and ".join(f"{number} of {group}" for group, number in required.items())


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "(none)"

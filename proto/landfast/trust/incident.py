"""What is opened when the glass is broken, and its bounds: so little that one person may do it alone."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta, Struct
from tuf.api.metadata import Targets

from landfast.policy.addresses import parse_prefix
from landfast.policy.coverage import FOREVER
from landfast.policy.model import Rule
from landfast.policy.remotes import embedded_ipv4
from landfast.policy.times import LAST, format_time
from landfast.trust import metadata

#: Of targets metadata, beside what TUF defines.
FIELD = "x-landfast-break-glass"

#: Seconds that a rule lasts at most, from the signature and by the clock of the host that takes it, which may be late.
LONGEST_S, SKEW_S = 4 * 60 * 60, 5 * 60
#: Rules of one version, and ports of one rule.
MOST_RULES, MOST_PORTS = 8, 128
#: The shortest prefixes: one network of one place. Private addresses are none of our business: enclaves live there.
WIDEST_IPV4, WIDEST_IPV6 = parse_prefix("0.0.0.0/24"), parse_prefix("::/64")

_CROWDS = tuple(map(parse_prefix, ("224.0.0.0/4", "ff00::/8")))  # one address, and anybody may listen
_REMEDY = "name what is needed now, and propose the rest as a change"

_Rules = dict[str, tuple[Rule, ...]]  # by class


class Incident(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rules that are added to allowlists, and when that was signed, in seconds since 1970.

    `renewed` are rules that some of them take the place of: for the same destination and ports, and over earlier.
    """

    opened: Annotated[int, Meta(ge=0, le=LAST)]
    rules: _Rules
    renewed: _Rules = {}

    @classmethod
    def of(cls, targets: Targets) -> Self | None:
        """None when the metadata is that of an ordinary version. Raises TrustError for what it cannot be."""
        return metadata.said(targets, FIELD, cls)

    def to_fields(self) -> dict[str, Any]:
        return {FIELD: msgspec.to_builtins(self)}

    @property
    def until(self) -> int:
        """When the last of the rules ends."""
        return max(map(_end, (rule for _, rule in self.each())))

    def each(self) -> Iterator[tuple[str, Rule]]:
        """The added rules with their classes."""
        return ((name, rule) for name, rules in sorted(self.rules.items()) for rule in rules)

    def problems(self, now: float) -> Iterator[str]:
        """What is not narrow, or not short at the time `now`, in seconds since 1970."""
        count = sum(1 for _ in self.each())
        if not 1 <= count <= MOST_RULES:
            yield f"it adds {count} rules, 1 to {MOST_RULES} are possible; {_REMEDY}"
        for name, rule in self.each():
            found = (*_width(rule), *_length(rule, self.opened, now))
            yield from (f"{name} {rule} {problem}" for problem in found)
        yield from self._losses()

    def _losses(self) -> Iterator[str]:
        for name, rules in self.renewed.items():
            for old in rules:
                if not any(_renews(rule, old) for rule in self.rules.get(name, ())):
                    yield f"{name} {old} is there, and would be lost; {_REMEDY}"

    def __str__(self) -> str:
        return "; ".join(f"{name} to {rule} until {format_time(_end(rule))}" for name, rule in self.each())


def _width(rule: Rule) -> Iterator[str]:
    if rule.group:
        yield f"is a group; {_REMEDY}"
        return
    prefix = parse_prefix(rule.remote)
    widest = WIDEST_IPV4 if prefix.is_ipv4 else WIDEST_IPV6
    if prefix.length < widest.length:
        yield f"is wider than /{str(widest).partition('/')[2]}; {_REMEDY}"
    if behind := embedded_ipv4(prefix):
        yield f"leads to IPv4 by {behind[0]}; name the IPv4 destination"
    if any(prefix.overlaps(crowd) for crowd in _CROWDS):
        yield f"is multicast; {_REMEDY}"
    if rule.any_port or sum(each.high - each.low + 1 for each in rule.ports) > MOST_PORTS:
        yield f"is about more than {MOST_PORTS} ports; {_REMEDY}"


def _length(rule: Rule, opened: int, now: float) -> Iterator[str]:
    hours = LONGEST_S // 3600
    if _end(rule) > opened + LONGEST_S:
        yield f"lasts longer than {hours} hours; let it end earlier, and propose the rest as a change"
    elif _end(rule) > now + LONGEST_S + SKEW_S:
        yield f"ends more than {hours} hours from now; look at the clocks of who signed it and of this host"


def _renews(rule: Rule, old: Rule) -> bool:
    return rule.target == old.target and _end(old) <= _end(rule)


def _end(rule: Rule) -> int:
    return FOREVER if rule.expires is None else rule.expires

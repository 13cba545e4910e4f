"""Breaking the glass: in an emergency one person alone opens a little for a short time, and others look at it later.

Such a version of the policy is signed by a break-glass key, which root names beside the approvers, and its targets
metadata lists the rules that it adds. Taken away again they leave the version before, to the last byte: so everybody
can tell from it alone what was approved, and judges by that what comes next. It follows that the glass is not broken
twice in a row, and that what was opened does not stay by a change that only seems to narrow. The rules end by their
expiry, which the kernel knows: no host has to hear of it.
"""

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, Self, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace
from tuf.api.metadata import Metadata, Root, Targets

from landfast.policy.addresses import parse_prefix
from landfast.policy.errors import InvalidError
from landfast.policy.model import DataClass, Policy, Rule
from landfast.policy.order import arrange
from landfast.policy.remotes import embedded_ipv4
from landfast.policy.texts import parse_text, parse_ticket
from landfast.policy.times import LAST, format_time
from landfast.trust import metadata
from landfast.trust.errors import TrustError

#: Of targets metadata, beside what TUF defines: an `Incident`; and in the version after it `Broken`, which it reviews.
FIELD, REVIEWS = "x-landfast-break-glass", "x-landfast-reviews"

#: Seconds that a rule lasts at most, from the signature and by the clock of the host that takes it, which may be late.
LONGEST_S, SKEW_S = 4 * 60 * 60, 5 * 60
#: Rules of one version, and ports of one rule.
MOST_RULES, MOST_PORTS = 8, 128
#: The shortest prefixes: one network of one place.
WIDEST_IPV4, WIDEST_IPV6 = parse_prefix("0.0.0.0/24"), parse_prefix("::/64")

_CROWDS = tuple(map(parse_prefix, ("224.0.0.0/4", "ff00::/8")))  # one address, and anybody may listen
_REMEDY = "name what is needed now, and propose the rest as a change"

_Rules = dict[str, tuple[Rule, ...]]  # by class
_T = TypeVar("_T")


def _read(targets: Targets, field: str, kind: type[_T]) -> _T | None:
    found = targets.unrecognized_fields.get(field)
    try:
        return None if found is None else msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise TrustError(f"targets {targets.version}: {field}: {error}; propose it again with this version") from None


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
        return _read(targets, FIELD, cls)

    def to_fields(self) -> dict[str, Any]:
        return {FIELD: msgspec.to_builtins(self)}

    @property
    def until(self) -> int:
        """When the last of the rules ends."""
        return max(rule.expires or LAST for _, rule in self.each())

    def each(self) -> Iterator[tuple[str, Rule]]:
        """The added rules with their classes."""
        return ((name, rule) for name, rules in sorted(self.rules.items()) for rule in rules)

    def __str__(self) -> str:
        return "; ".join(f"{name} to {rule} until {format_time(rule.expires or LAST)}" for name, rule in self.each())


class Broken(Struct, frozen=True, forbid_unknown_fields=True):
    """Who has broken the glass, and with which policy: its SHA-256, in hexadecimal."""

    by: str
    policy: str

    def to_fields(self) -> dict[str, Any]:
        """For the metadata of the version that reviews it."""
        return {REVIEWS: msgspec.to_builtins(self)}


class Ground(NamedTuple):
    """What a change is judged by: the policy that was approved last, and how the glass was broken since, if it was.

    The policy is None where there is nothing yet.
    """

    policy: Policy | None = None
    broken: Broken | None = None


def reviewed(targets: Targets) -> Broken | None:
    """What the version reviews, if anything. Raises TrustError for what it cannot be."""
    return _read(targets, REVIEWS, Broken)


def ground(policy: Policy, targets: Targets) -> Ground:
    """What the change after `policy` is judged by. Raises TrustError when the metadata is about something else."""
    incident = Incident.of(targets)
    if incident is None:
        return Ground(policy)
    return Ground(_without(policy, incident), Broken(metadata.proposer_of(targets), metadata.digest_of(targets).hex()))


def check_reviewed(targets: Targets, before: Ground) -> None:
    """Raises TrustError unless an ordinary version says of the one before whether that broke the glass, and how."""
    if reviewed(targets) != before.broken:
        who = before.broken.by if before.broken else "nobody"
        raise TrustError(
            f"policy {targets.version} does not review what was opened before it: {who} has broken the glass; "
            "landfast break-glass review"
        )


def _without(policy: Policy, incident: Incident) -> Policy:
    if unknown := sorted({*incident.rules, *incident.renewed} - {each.name for each in policy.classes}):
        raise TrustError(f"policy {policy.version} breaks the glass for {unknown[0]}, which is no data class of it")
    classes = tuple(_class_without(each, incident) for each in policy.classes)
    return arrange(replace(policy, version=policy.version - 1, classes=classes))


def _class_without(each: DataClass, incident: Incident) -> DataClass:
    added, renewed = incident.rules.get(each.name, ()), incident.renewed.get(each.name, ())
    kept = tuple(rule for rule in each.allow if rule not in added)
    if len(kept) + len(added) != len(each.allow):
        raise TrustError(f"{each.name}: its allowlist does not hold the rules that break the glass; break it again")
    return replace(each, allow=(*kept, *renewed)) if added or renewed else each


def told(targets: Targets) -> tuple[str, dict[str, str]] | None:
    """A line about what breaks the glass, and its details, for events; None when nothing does."""
    incident = Incident.of(targets)
    if incident is None:
        return None
    who, (reason, ticket) = metadata.proposer_of(targets), metadata.why_of(targets)
    fields = {"by": who, "reason": reason, "ticket": ticket, "until": format_time(incident.until)}
    fields |= {"version": str(targets.version), "rules": str(incident)}
    return f"{who} broke the glass: {incident}: {reason} ({ticket})", fields


def is_signed(root: Root, targets: Metadata[Targets]) -> bool:
    """Whether who says that they break the glass has a key for that, and has used it."""
    return metadata.proposer_of(targets.signed) in metadata.breakers(root, targets)


def check(root: Root, targets: Metadata[Targets], policy: Policy, before: Ground, now: float) -> Ground:
    """What holds after a version that breaks the glass. Raises TrustError unless it may, at `now` (since 1970)."""
    what, signed = f"policy {policy.version} breaks the glass", targets.signed
    if before.broken:
        raise TrustError(again(before.broken))
    after = ground(policy, signed)
    if not is_signed(root, targets):
        raise TrustError(
            f"{what}, and no break-glass key of {metadata.proposer_of(signed) or 'anybody'} has signed it; "
            "`landfast trust show` lists those keys"
        )
    _check_why(what, *metadata.why_of(signed))
    if after.policy != before.policy:
        raise TrustError(f"{what}, and is not the approved version before it with the rules that it lists; try again")
    incident = Incident.of(signed)
    assert incident
    if problem := next(_problems(incident, now), ""):
        raise TrustError(f"{what}: {problem}")
    return after


def again(broken: Broken) -> str:
    """Why the glass cannot be broken now."""
    return f"the glass is broken already, by {broken.by}: that must be reviewed first: landfast break-glass review"


def _check_why(what: str, reason: str, ticket: str) -> None:
    try:
        parse_text(reason)
        parse_ticket(ticket)
    except InvalidError as error:
        raise TrustError(f"{what}, for a reason and with a ticket: {error}") from None


def _problems(incident: Incident, now: float) -> Iterator[str]:
    """What is not narrow, or not short."""
    count = sum(1 for _ in incident.each())
    if not 1 <= count <= MOST_RULES:
        yield f"it adds {count} rules, 1 to {MOST_RULES} are possible; {_REMEDY}"
    for name, rule in incident.each():
        yield from (f"{name} {rule} {problem}" for problem in _problems_of(rule, incident.opened, now))
    for name, rules in incident.renewed.items():
        for rule in rules:
            if not any(_renews(other, rule) for other in incident.rules.get(name, ())):
                yield f"{name} {rule} is there, and would be lost; {_REMEDY}"


def _problems_of(rule: Rule, opened: int, now: float) -> Iterator[str]:
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
    if rule.expires is None or rule.expires > opened + LONGEST_S:
        yield f"lasts longer than {LONGEST_S // 3600} hours; {_REMEDY}"
    elif rule.expires > now + LONGEST_S + SKEW_S:
        yield f"ends more than {LONGEST_S // 3600} hours from now; look at the clocks of who signed it and of this host"


def _renews(rule: Rule, old: Rule) -> bool:
    return rule.target == old.target and None not in (old.expires, rule.expires) and _end(old) <= _end(rule)


def _end(rule: Rule) -> int:
    return LAST if rule.expires is None else rule.expires

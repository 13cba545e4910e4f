"""Breaking the glass: in an emergency one person alone opens a little for a short time, and others look at it later.

Such a version of the policy is signed by a break-glass key, which root names beside the approvers, and its targets
metadata lists the rules that it adds. Taken away again they leave the version before, to the last byte: so everybody
can tell from it alone what was approved, and judges by that what comes next. It follows that the glass is not broken
twice in a row, and that what was opened does not stay by a change that only seems to narrow. The rules end by their
expiry, which the kernel knows: no host has to hear of it.
"""

from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from tuf.api.metadata import Metadata, Root, Targets

from landfast.policy.errors import InvalidError
from landfast.policy.model import DataClass, Policy
from landfast.policy.order import arrange
from landfast.policy.texts import parse_text, parse_ticket
from landfast.policy.times import format_time
from landfast.trust import metadata
from landfast.trust.errors import TrustError
from landfast.trust.incident import Incident

#: Of the targets metadata of the version after it, which reviews it.
REVIEWS = "x-landfast-reviews"


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


def ground(policy: Policy, targets: Targets) -> Ground:
    """What the change after `policy` is judged by. Raises TrustError when the metadata is about something else."""
    incident = Incident.of(targets)
    if incident is None:
        return Ground(policy)
    return Ground(_without(policy, incident), Broken(metadata.proposer_of(targets), metadata.digest_of(targets).hex()))


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
    return replace(each, allow=(*kept, *renewed))


def is_signed(root: Root, targets: Metadata[Targets]) -> bool:
    """Whether who says that they break the glass has a key for that, and has used it."""
    return metadata.proposer_of(targets.signed) in metadata.breakers(root, targets)


def check(root: Root, targets: Metadata[Targets], policy: Policy, before: Ground, now: float) -> Ground:
    """What holds after a version that breaks the glass.

    Raises TrustError unless it may, at the time `now`, in seconds since 1970.
    """
    if before.broken:
        raise TrustError(again(before.broken))
    what, after, incident = f"policy {policy.version} breaks the glass", ground(policy, targets.signed), _of(targets)
    if not is_signed(root, targets):
        who = metadata.proposer_of(targets.signed) or "anybody"
        raise TrustError(f"{what}: no break-glass key of {who} has signed it; `landfast trust show` lists those keys")
    if after.policy != before.policy:
        raise TrustError(f"{what}: it is not the approved version before it with the rules that it lists; try again")
    if problem := _why_not(*metadata.why_of(targets.signed)) or next(incident.problems(now), ""):
        raise TrustError(f"{what}: {problem}")
    return after


def _of(targets: Metadata[Targets]) -> Incident:
    incident = Incident.of(targets.signed)
    assert incident
    return incident


def _why_not(reason: str, ticket: str) -> str:
    """What is wrong with reason and ticket, which are mandatory."""
    try:
        parse_text(reason)
        parse_ticket(ticket)
    except InvalidError as error:
        return f"it takes a reason and a ticket: {error}"
    return ""


def again(broken: Broken) -> str:
    """Why the glass cannot be broken now."""
    return f"the glass is broken already, by {broken.by}: that must be reviewed first: landfast break-glass review"


def reviewed(targets: Targets) -> Broken | None:
    """What the version reviews, if anything. Raises TrustError for what it cannot be."""
    return metadata.said(targets, REVIEWS, Broken)


def check_reviewed(targets: Targets, before: Ground) -> None:
    """Raises TrustError unless an ordinary version says of the one before whether that broke the glass, and how."""
    if reviewed(targets) != before.broken:
        who = before.broken.by if before.broken else "nobody"
        raise TrustError(
            f"policy {targets.version} does not review what was opened before it: {who} has broken the glass; "
            "landfast break-glass review"
        )


def told(targets: Targets) -> tuple[str, dict[str, str]] | None:
    """A line about what breaks the glass, and its details, for events; None when nothing does."""
    incident = Incident.of(targets)
    if incident is None:
        return None
    who, (reason, ticket) = metadata.proposer_of(targets), metadata.why_of(targets)
    fields = {"by": who, "reason": reason, "ticket": ticket, "until": format_time(incident.until)}
    fields |= {"version": str(targets.version), "rules": str(incident)}
    return f"{who} broke the glass: {incident}: {reason} ({ticket})", fields

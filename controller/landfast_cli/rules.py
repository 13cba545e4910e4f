"""Rules, as they are printed."""

import time
from typing import Any

from landfast.policy.model import Policy
from landfast.policy.numbering import NumberedRule, RuleKind, numbered
from landfast.policy.times import format_time

HEADINGS = ("CLASS", "DEST", "PORTS", "EXPIRES", "REASON")


def allowed(policy: Policy, data_class: str | None) -> list[NumberedRule]:
    """The allow rules of a class, or of all. Raises InvalidError for a class that the policy does not hold."""
    if data_class is not None:
        policy.tags([data_class])
    rules = (each for each in numbered(policy) if each.kind == RuleKind.ALLOW)
    return [each for each in rules if data_class in (None, each.owner.name)]


def row(each: NumberedRule) -> tuple[str, ...]:
    ticket = f" ({each.rule.ticket})" if each.rule.ticket else ""
    destination, ports = _destination(each)
    expiry = _expiry(each.rule.expires)
    return each.owner.name, destination, "\n".join(ports), expiry, each.rule.reason + ticket


def document(each: NumberedRule) -> dict[str, Any]:
    destination, ports = _destination(each)
    return {
        "rule": each.number,
        "class": each.owner.name,
        "to": destination,
        "ports": ports,
        "reason": each.rule.reason,
        "ticket": each.rule.ticket,
        "expires": None if each.rule.expires is None else format_time(each.rule.expires),
    }


def _destination(each: NumberedRule) -> tuple[str, list[str]]:
    destination, ports = each.rule.target
    return destination, [str(entry) for entry in ports]


def _expiry(expires: int | None) -> str:
    if expires is None:
        return "-"
    return format_time(expires) + ("\n(over)" if expires <= time.time() else "")

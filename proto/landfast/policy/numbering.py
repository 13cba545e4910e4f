"""Rule numbers: every rule of a policy counted from 1, in canonical order. An event names a rule by version and number.

Numbers belong to one version: a rule that is added or removed shifts those behind it.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from landfast.policy.model import DataClass, Policy, Rule, UnixPeer
from landfast.policy.times import format_time


class RuleKind(StrEnum):
    """The list of a class that a rule stands in."""

    ALLOW = "allow"
    SERVE = "serve"
    PEERS = "peers"


class NumberedRule(NamedTuple):
    number: int
    owner: DataClass
    kind: RuleKind
    rule: Rule | UnixPeer


def numbered(policy: Policy) -> Iterator[NumberedRule]:
    """Every rule with its number: class by class; allow, serve, peers, unix peers."""
    placed = ((owner, kind, rule) for owner in policy.classes for kind, rule in _rules(owner))
    for number, (owner, kind, rule) in enumerate(placed, 1):
        yield NumberedRule(number, owner, kind, rule)


def _rules(owner: DataClass) -> Iterator[tuple[RuleKind, Rule | UnixPeer]]:
    yield from ((RuleKind.ALLOW, rule) for rule in owner.allow)
    yield from ((RuleKind.SERVE, rule) for rule in owner.serve)
    yield from ((RuleKind.PEERS, rule) for rule in owner.peers)
    yield from ((RuleKind.PEERS, rule) for rule in owner.unix_peers)


def describe(policy: Policy, number: int) -> str:
    """One line about a rule: `eea-user-data allow 10.20.0.0/16 tcp/443: replication (NET-1412, until ...)`.

    For a number that the policy does not have, the line says so.
    """
    for each in numbered(policy):
        if each.number == number:
            return line(each)
    return f"rule {number} is not in policy version {policy.version}"


def line(each: NumberedRule) -> str:
    """What `describe` gives, for one rule of `numbered`."""
    return f"{each.owner.name} {each.kind} {each.rule}: {each.rule.reason}{_notes(each.rule)}"


def _notes(rule: Rule | UnixPeer) -> str:
    until = f"until {format_time(rule.expires)}" if rule.expires is not None else ""
    notes = ", ".join(filter(None, (rule.ticket, until)))
    return f" ({notes})" if notes else ""

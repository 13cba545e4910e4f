"""Single changes of an allowlist: what `landfast allow add` and `landfast allow remove` do to a draft."""

from collections.abc import Callable

from msgspec.structs import replace

from landfast.policy.errors import InvalidError
from landfast.policy.model import GROUP, ClassDraft, Draft, Rule
from landfast.policy.order import arrange_draft
from landfast.policy.ports import Ports
from landfast.policy.remotes import parse_remote
from landfast.policy.texts import did_you_mean, parse_text, parse_ticket
from landfast.policy.times import format_time

_Rules = tuple[Rule, ...]


def make_rule(
    remote: str, ports: tuple[Ports, ...], *, reason: str, ticket: str = "", expires: int | None = None
) -> Rule:
    """A rule from what a person typed; `ports` as `parse_port_list` gives them. Raises `InvalidError`."""
    return Rule(parse_remote(remote), ports, parse_text(reason), parse_ticket(ticket) if ticket else "", expires)


def add_rule(draft: Draft, class_name: str, rule: Rule, now: float) -> Draft:
    """`draft` with `rule` in the allowlist of a class.

    Raises `InvalidError` for an unknown class or group, a rule that is there already, or one that has expired by
    `now` (seconds since 1970).
    """
    if rule.expires is not None and rule.expires <= now:
        raise InvalidError(f"{rule} expired at {format_time(rule.expires)}", "give it a later expiry, or none")
    if rule.group and rule.group not in draft.groups:
        raise InvalidError(f"there is no {GROUP}{rule.group}", did_you_mean(rule.group, draft.groups))
    return _changed(draft, class_name, lambda rules: (*_without_twin(class_name, rules, rule), rule))


def _without_twin(class_name: str, rules: _Rules, rule: Rule) -> _Rules:
    for other in rules:
        if other.target == rule.target:
            until = f" until {format_time(other.expires)}" if other.expires is not None else ""
            raise InvalidError(
                f"{class_name} may talk to {rule} already{until}: {other.reason}", "remove that rule first to change it"
            )
    return rules


def remove_rule(draft: Draft, class_name: str, remote: str, ports: tuple[Ports, ...] | None = None) -> Draft:
    """`draft` without the rule for `remote` and exactly `ports`; without all rules for `remote` when ports is None.

    Raises `InvalidError` when there is no such class or rule.
    """
    normal = parse_remote(remote)
    return _changed(draft, class_name, lambda rules: _kept(class_name, rules, normal, ports))


def _kept(class_name: str, rules: _Rules, remote: str, ports: tuple[Ports, ...] | None) -> _Rules:
    kept = tuple(rule for rule in rules if rule.remote != remote or ports not in (None, rule.ports))
    if len(kept) == len(rules):
        wanted = " ".join(filter(None, (remote, ",".join(map(str, ports or ())))))
        raise InvalidError(f"the allowlist of {class_name} has no rule {wanted}", _what_there_is(rules, remote))
    return kept


def _what_there_is(rules: _Rules, remote: str) -> str:
    there = [str(rule) for rule in rules if rule.remote == remote]
    return f"there is {'; '.join(there)}" if there else did_you_mean(remote, {rule.remote for rule in rules})


def _changed(draft: Draft, class_name: str, change: Callable[[_Rules], _Rules]) -> Draft:
    names = [each.name for each in draft.classes]
    if class_name not in names:
        raise InvalidError(f"there is no data class {class_name!r}", did_you_mean(class_name, names))

    def edited(each: ClassDraft) -> ClassDraft:
        return replace(each, allow=change(each.allow)) if each.name == class_name else each

    return arrange_draft(replace(draft, classes=tuple(map(edited, draft.classes))))

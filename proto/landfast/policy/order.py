"""The canonical order, in which the order of a file leaves no trace."""

from collections.abc import Iterable
from typing import TypeVar

from msgspec.structs import replace

from landfast.policy.model import ClassDraft, Draft, Policy, Rule, UnixPeer

_Class = TypeVar("_Class", bound=ClassDraft)
_Entry = TypeVar("_Entry", Rule, UnixPeer)


def arrange_draft(draft: Draft) -> Draft:
    return Draft(_arrange_classes(draft.classes), _arrange_groups(draft.groups))


def arrange(policy: Policy) -> Policy:
    return replace(policy, classes=_arrange_classes(policy.classes), groups=_arrange_groups(policy.groups))


def _arrange_classes(classes: Iterable[_Class]) -> tuple[_Class, ...]:
    return tuple(_arrange_class(each) for each in sorted(classes, key=lambda each: each.name))


def _arrange_class(each: _Class) -> _Class:
    return replace(
        each,
        select=tuple(sorted(each.select)),
        allow=_arrange_rules(each.allow),
        serve=_arrange_rules(each.serve),
        peers=_arrange_rules(each.peers),
        unix_peers=_arrange_rules(each.unix_peers),
    )


def _arrange_rules(rules: Iterable[_Entry]) -> tuple[_Entry, ...]:
    return tuple(sorted(rules, key=lambda rule: rule.target))


def _arrange_groups(groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(groups[name])) for name in sorted(groups)}

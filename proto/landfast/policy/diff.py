"""What a change of policy means, item by item: the difference of two policies or drafts."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from landfast.policy.model import ClassDraft, Draft, Policy, Rule, UnixPeer
from landfast.policy.times import format_time


class ChangeKind(StrEnum):
    CLASS_ADDED = "class-added"
    CLASS_REMOVED = "class-removed"
    SETTING_CHANGED = "setting-changed"
    SELECTOR_ADDED = "selector-added"
    SELECTOR_REMOVED = "selector-removed"
    RULE_ADDED = "rule-added"
    RULE_REMOVED = "rule-removed"
    RULE_CHANGED = "rule-changed"
    GROUP_ADDED = "group-added"
    GROUP_REMOVED = "group-removed"
    PREFIX_ADDED = "prefix-added"
    PREFIX_REMOVED = "prefix-removed"


class Change(Struct, frozen=True):
    """One difference. `subject` is the class or group, `item` what changed in it; `before` and `after` its values."""

    kind: ChangeKind
    subject: str
    item: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        what = f"{self.kind.replace('-', ' ')}: {self.subject} {self.item}".rstrip()
        if self.kind.endswith("changed"):
            return f"{what}: {self.before or '(none)'} -> {self.after or '(none)'}"
        return ": ".join(filter(None, (what, self.before or self.after)))


_SETTINGS = ("description", "mode", "loopback", "forbidden_calls", "io_uring", "on_stale_policy")
_LISTS = {"allow": ("allow",), "serve": ("serve",), "peers": ("peers", "unix_peers")}


def diff(before: Policy | Draft, after: Policy | Draft) -> list[Change]:
    """Every change that leads from `before` to `after`: classes by name, then groups. Versions and bits do not count.

    A class that is added or removed is one change, followed by one for each of its rules and selectors.
    """
    return [*_classes(_by_name(before), _by_name(after)), *_groups(before.groups, after.groups)]


def _by_name(policy: Policy | Draft) -> dict[str, ClassDraft]:
    return {each.name: each for each in policy.classes}


def _classes(before: dict[str, ClassDraft], after: dict[str, ClassDraft]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old and new:
            yield from _settings(old, new)
        else:
            yield Change(ChangeKind.CLASS_ADDED if new else ChangeKind.CLASS_REMOVED, name)
        yield from _selectors(name, old, new)
        yield from _rules(name, old, new)


def _settings(old: ClassDraft, new: ClassDraft) -> Iterator[Change]:
    for setting in _SETTINGS:
        was, is_now = str(getattr(old, setting)), str(getattr(new, setting))
        if was != is_now:
            yield Change(ChangeKind.SETTING_CHANGED, new.name, setting, was, is_now)


def _selectors(name: str, old: ClassDraft | None, new: ClassDraft | None) -> Iterator[Change]:
    was, is_now = set(old.select if old else ()), set(new.select if new else ())
    yield from (Change(ChangeKind.SELECTOR_REMOVED, name, str(each)) for each in sorted(was - is_now))
    yield from (Change(ChangeKind.SELECTOR_ADDED, name, str(each)) for each in sorted(is_now - was))


def _rules(name: str, old: ClassDraft | None, new: ClassDraft | None) -> Iterator[Change]:
    was, is_now = _rules_of(old), _rules_of(new)
    for item in sorted(was.keys() - is_now.keys()):
        yield Change(ChangeKind.RULE_REMOVED, name, item, before=was[item])
    for item in sorted(is_now.keys() - was.keys()):
        yield Change(ChangeKind.RULE_ADDED, name, item, after=is_now[item])
    for item in sorted(was.keys() & is_now.keys()):
        if was[item] != is_now[item]:
            yield Change(ChangeKind.RULE_CHANGED, name, item, was[item], is_now[item])


def _rules_of(each: ClassDraft | None) -> Mapping[str, str]:
    """What is said about a rule, by its list, destination and ports."""
    if each is None:
        return {}
    placed = ((key, rule) for key, lists in _LISTS.items() for name in lists for rule in getattr(each, name))
    return {f"{key} {rule}": _notes(rule) for key, rule in placed}


def _notes(rule: Rule | UnixPeer) -> str:
    until = f"until {format_time(rule.expires)}" if rule.expires is not None else ""
    return ", ".join(filter(None, (rule.reason, rule.ticket, until)))


def _groups(before: dict[str, tuple[str, ...]], after: dict[str, tuple[str, ...]]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        if name not in after or name not in before:
            yield Change(ChangeKind.GROUP_ADDED if name in after else ChangeKind.GROUP_REMOVED, name)
        was, is_now = set(before.get(name, ())), set(after.get(name, ()))
        yield from (Change(ChangeKind.PREFIX_REMOVED, name, prefix) for prefix in sorted(was - is_now))
        yield from (Change(ChangeKind.PREFIX_ADDED, name, prefix) for prefix in sorted(is_now - was))

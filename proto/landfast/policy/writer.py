"""Writes a policy as a policy file: stable, for people to read and to keep in version control."""

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from landfast.policy.model import ClassDraft, Draft, Policy, Rule, UnixPeer
from landfast.policy.numbering import RuleKind
from landfast.policy.times import format_time

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9 _./@()+;-]*(?<! )|[A-Za-z0-9/.-]+(:[A-Za-z0-9/.-]+)+", re.ASCII)

#: Gives lines, printable, that stand as comments above a rule.
Remark = Callable[[RuleKind, Rule | UnixPeer], Iterable[str]]

_NULLS = ("null", "Null", "NULL")


def write(policy: Policy | Draft, remark: Remark = lambda *_: ()) -> str:
    """YAML text that `read` turns into the same draft. Comments of an earlier file are not part of a policy."""
    classes = _section("data_classes", _classes(policy, remark))
    lines = ["version: 1", *classes, *_section("groups", _groups(policy))]
    return "\n".join(lines) + "\n"


def _section(key: str, lines: Iterator[str]) -> Iterator[str]:
    """The key with its indented lines; `{}` when there are none."""
    first = next(lines, None)
    yield f"{key}:" if first is not None else f"{key}: {{}}"
    for line in () if first is None else (first, *lines):
        yield f"  {line}"


def _classes(policy: Policy | Draft, remark: Remark) -> Iterator[str]:
    for each in policy.classes:
        yield from _section(each.name, _class(each, remark))


def _class(each: ClassDraft, remark: Remark) -> Iterator[str]:
    if each.description:
        yield f"description: {_scalar(each.description)}"
    yield f"mode: {each.mode}"
    yield f"loopback: {each.loopback}"
    yield f"forbidden_calls: {each.forbidden_calls}"
    yield f"io_uring: {each.io_uring}"
    yield f"on_stale_policy: {each.on_stale_policy}"
    allow = [(remark(RuleKind.ALLOW, rule), _rule("to", rule)) for rule in each.allow]
    serve = [(remark(RuleKind.SERVE, rule), _rule("from", rule)) for rule in each.serve]
    peers = [(remark(RuleKind.PEERS, rule), _rule("to", rule)) for rule in each.peers]
    unix = [(remark(RuleKind.PEERS, rule), _unix(rule)) for rule in each.unix_peers]
    yield from _list("select", [((), [f"{every.kind}: {_scalar(every.pattern)}"]) for every in each.select])
    yield from _list("allow", allow)
    yield from _list("serve", serve)
    yield from _list("peers", peers + unix)


def _list(key: str, items: list[tuple[Iterable[str], list[str]]]) -> Iterator[str]:
    """An item is its comments and its lines."""
    if items:
        yield f"{key}:"
    for comments, (first, *rest) in items:
        yield from (f"  # {comment}" for comment in comments)
        yield f"  - {first}"
        yield from (f"    {line}" for line in rest)


def _rule(key: str, rule: Rule) -> list[str]:
    ports = ", ".join(map(str, rule.ports))
    return [f"{key}: {_scalar(rule.remote)}", f"ports: [{ports}]", *_notes(rule)]


def _unix(rule: UnixPeer) -> list[str]:
    return [f"unix: {_scalar(rule.path)}", *_notes(rule)]


def _notes(rule: Rule | UnixPeer) -> Iterator[str]:
    yield f"reason: {_scalar(rule.reason)}"
    if rule.ticket:
        yield f"ticket: {_scalar(rule.ticket)}"
    if rule.expires is not None:
        yield f"expires: {format_time(rule.expires)}"


def _groups(policy: Policy | Draft) -> Iterator[str]:
    for name, members in policy.groups.items():
        yield f"{name}:"
        yield from (f"  - {_scalar(member)}" for member in members)


def _scalar(text: str) -> str:
    """Plain where nothing in it means anything to YAML, otherwise in double quotes; JSON's escapes are YAML's."""
    plain = _PLAIN.fullmatch(text) and text not in _NULLS
    return text if plain else msgspec.json.encode(text).decode()

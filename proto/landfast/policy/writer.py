"""Writes a policy as a policy file: stable, for people to read and to keep in version control."""

import re
from collections.abc import Iterator

import msgspec

from landfast.policy.model import ClassDraft, Draft, Policy, Rule, UnixPeer
from landfast.policy.times import format_time

_PLAIN = re.compile(r"[A-Za-z0-9/][A-Za-z0-9 _./@()+;-]*(?<! )|[A-Za-z0-9/.-]+(:[A-Za-z0-9/.-]+)+", re.ASCII)
_NULLS = ("null", "Null", "NULL")


def write(policy: Policy | Draft) -> str:
    """YAML text that `read` turns into the same draft. Comments of an earlier file are not part of a policy."""
    lines = ["version: 1", *_section("data_classes", _classes(policy)), *_section("groups", _groups(policy))]
    return "\n".join(lines) + "\n"


def _section(key: str, lines: Iterator[str]) -> Iterator[str]:
    """The key with its indented lines; `{}` when there are none."""
    first = next(lines, None)
    yield f"{key}:" if first is not None else f"{key}: {{}}"
    for line in () if first is None else (first, *lines):
        yield f"  {line}"


def _classes(policy: Policy | Draft) -> Iterator[str]:
    for each in policy.classes:
        yield from _section(each.name, _class(each))


def _class(each: ClassDraft) -> Iterator[str]:
    if each.description:
        yield f"description: {_scalar(each.description)}"
    yield f"mode: {each.mode}"
    yield f"loopback: {each.loopback}"
    yield f"forbidden_calls: {each.forbidden_calls}"
    yield f"io_uring: {each.io_uring}"
    yield f"on_stale_policy: {each.on_stale_policy}"
    yield from _list("select", [[f"{every.kind}: {_scalar(every.pattern)}"] for every in each.select])
    yield from _list("allow", [_rule("to", rule) for rule in each.allow])
    yield from _list("serve", [_rule("from", rule) for rule in each.serve])
    yield from _list("peers", [_rule("to", rule) for rule in each.peers] + [_unix(rule) for rule in each.unix_peers])


def _list(key: str, items: list[list[str]]) -> Iterator[str]:
    if items:
        yield f"{key}:"
    for first, *rest in items:
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

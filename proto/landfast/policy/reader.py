"""Reads the policy file: YAML for people, as docs/policy.md describes it."""

from collections.abc import Callable, Hashable, Iterable
from time import time
from typing import TypeVar

from msgspec import Struct

from landfast.policy.errors import Finding, InvalidError, Severity
from landfast.policy.fields import Fields
from landfast.policy.lint import Remark
from landfast.policy.model import (
    MAX_CLASSES,
    ClassDraft,
    Draft,
    ForbiddenCalls,
    IoUring,
    Loopback,
    Mode,
    Rule,
    Selector,
    StalePolicy,
    UnixPeer,
)
from landfast.policy.nodes import Mapping, Node, Scalar, parse_tree
from landfast.policy.order import arrange_draft
from landfast.policy.report import Report
from landfast.policy.rule_reader import RuleReader
from landfast.policy.selectors import parse_selector
from landfast.policy.texts import parse_name, parse_text

_Rule = TypeVar("_Rule", bound=Rule | UnixPeer)
_Value = TypeVar("_Value")
_TOP = {"version": "write version: 1 at the top", "data_classes": "name the data classes, or write data_classes: {}"}
_SETTINGS = ("description", "mode", "loopback", "forbidden_calls", "io_uring", "on_stale_policy")
_CLASS = (*_SETTINGS, "select", "allow", "serve", "peers")


class Source(Struct, frozen=True):
    """What a policy file says, what is suspicious about it, and where the rules and prefixes of groups stand.

    `places` has line and path by the path of the list and the text of what stands in it, as in `Remark`.
    """

    draft: Draft
    warnings: tuple[Finding, ...]
    file: str
    places: dict[tuple[str, str], tuple[int, str]]

    def finding(self, remark: Remark) -> Finding:
        """A remark about `draft` as a finding of the file."""
        line, where = self.places.get((remark.where, remark.item), (0, remark.where))
        return Finding(self.file, line, where, f"{remark.item} {remark.problem}", remark.remedy, Severity.WARNING)


def read(text: str | bytes, file: str = "policy.yaml", now: float | None = None) -> Source:
    """Reads a policy file; `now`, in seconds since 1970, tells which rules have expired.

    Raises `PolicyError` with every error of the file, each with its line.
    """
    report = Report(file)
    reader = _Reader(report, time() if now is None else now)
    draft = reader.policy(parse_tree(text, report))
    return Source(arrange_draft(draft), report.warnings(), file, reader.places)


class _Reader:
    """Walks the tree once. What has an error is reported and left out."""

    def __init__(self, report: Report, now: float) -> None:
        self._report, self._fields, self._now = report, Fields(report), now
        self.places: dict[tuple[str, str], tuple[int, str]] = {}

    def policy(self, tree: Node) -> Draft:
        top = self._fields.mapping(tree, (*_TOP, "groups"), _TOP)
        self._fields.value(top.get("version"), _parse_format)
        classes, groups = self._fields.entries(top.get("data_classes")), self._fields.entries(top.get("groups"))
        self._check_names(classes, groups)
        rules = RuleReader(self._fields, {key.text for key, _ in groups}, self._now)
        return Draft(
            tuple(self._class(key, node, rules) for key, node in classes),
            {key.text: self._group(key, node, rules) for key, node in groups},
        )

    def _check_names(self, classes: list[tuple[Scalar, Node]], groups: list[tuple[Scalar, Node]]) -> None:
        for key, _ in classes + groups:
            self._fields.value(key, parse_name)
        for key, _ in classes[MAX_CLASSES:]:
            self._report.error(key, f"there are more than {MAX_CLASSES} data classes", "remove or join some")
        names = {key.text for key, _ in classes}
        for key, _ in groups:
            if key.text in names:
                self._report.error(key, "a data class has the same name", "give the group another name")

    def _group(self, key: Scalar, node: Node, rules: RuleReader) -> tuple[str, ...]:
        items = self._fields.items(node)
        if not items and not isinstance(node, Scalar):
            self._report.error(key, "the group is empty", "write at least one prefix, or remove the group")
        first: dict[str, int] = {}
        for item, member in rules.members(items):
            if first.setdefault(member, item.line) != item.line:
                self._report.warn(item, f"{member} stands in line {first[member]} already", "remove one of the two")
            self.places.setdefault((node.where, member), (item.line, item.where))
        return tuple(first)

    def _class(self, key: Scalar, node: Node, rules: RuleReader) -> ClassDraft:
        found = self._fields.mapping(node, _CLASS, {})
        peers = self._rules(found.get("peers"), rules.peer)
        return ClassDraft(
            name=key.text,
            description=self._fields.value(found.get("description"), parse_text) or "",
            mode=self._fields.choice(found.get("mode"), Mode.ENFORCE),
            loopback=self._fields.choice(found.get("loopback"), Loopback.SAME_CLASS),
            forbidden_calls=self._fields.choice(found.get("forbidden_calls"), ForbiddenCalls.KILL),
            io_uring=self._fields.choice(found.get("io_uring"), IoUring.DENY),
            on_stale_policy=self._fields.choice(found.get("on_stale_policy"), StalePolicy.HOLD),
            select=self._selectors(found.get("select")),
            allow=tuple(self._rules(found.get("allow"), rules.allow)),
            serve=tuple(self._rules(found.get("serve"), rules.serve)),
            peers=tuple(peer for peer in peers if isinstance(peer, Rule)),
            unix_peers=tuple(peer for peer in peers if isinstance(peer, UnixPeer)),
        )

    def _rules(self, node: Node | None, parse: Callable[[Node], _Rule | None]) -> list[_Rule]:
        found = ((item, parse(item)) for item in self._fields.items(node))
        rules = [(item, rule) for item, rule in found if rule]
        if node:
            self.places.update(((node.where, str(rule)), (item.line, item.where)) for item, rule in rules)
        return self._distinct(rules, lambda rule: rule.target, "write one rule with one reason and one expiry")

    def _selectors(self, node: Node | None) -> tuple[Selector, ...]:
        found = ((item, self._selector(item)) for item in self._fields.items(node))
        selectors = [(item, selector) for item, selector in found if selector]
        return tuple(self._distinct(selectors, lambda selector: selector, "remove one of the two"))

    def _selector(self, node: Node) -> Selector | None:
        if not isinstance(node, Mapping) or len(node.entries) != 1:
            self._report.error(node, "a selector has one kind and one pattern", "write unit: GLOB or cgroup: /PATH")
            return None
        [(kind, pattern)] = node.entries
        return self._fields.value(pattern, lambda text: parse_selector(kind.text, text))

    def _distinct(
        self, items: Iterable[tuple[Node, _Value]], identity: Callable[[_Value], Hashable], remedy: str
    ) -> list[_Value]:
        first: dict[Hashable, Node] = {}
        kept: list[_Value] = []
        for node, value in items:
            before = first.setdefault(identity(value), node)
            if before is node:
                kept.append(value)
            else:
                self._report.error(node, f"the same stands in line {before.line} already", remedy)
        return kept


def _parse_format(text: str) -> int:
    if text != "1":
        raise InvalidError(f"{text!r} is no known version of the file format", "write version: 1")
    return 1

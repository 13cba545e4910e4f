"""YAML text as a tree of plain nodes that know their line and path.

Only what a policy needs: every scalar stays the text that was written, so `on`, `1e3` and `22:22` mean nothing special;
anchors, aliases, tags, directives and second documents are refused. Built from the parser's events, without the
composer and constructor of a round-trip document, which take most of its time and memory.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from landfast.policy.report import Report

MAX_DEPTH = 8  # a port of a rule of a class is at depth 6


class Scalar(Struct):
    line: int
    where: str
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


class Sequence(Struct):
    line: int
    where: str
    items: "list[Node]"


class Mapping(Struct):
    """Entries in the order of the file; no key occurs twice."""

    line: int
    where: str
    entries: "list[tuple[Scalar, Node]]"


class Broken(Struct):
    """What an error has been reported for already."""

    line: int
    where: str


Node = Scalar | Sequence | Mapping | Broken


def parse_tree(source: str | bytes, report: Report) -> Node:
    """The tree of a whole file. Raises `PolicyError` where it is no YAML; reports what merely is refused."""
    text = source if isinstance(source, str) else _decoded(source, report)
    try:
        return _Builder(YAML(typ="safe", pure=True).parse(text), report).document()
    except MarkedYAMLError as error:
        raise report.fatal(*_explained(error)) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"character {ord(text[error.position]):#04x} cannot be printed"
        raise report.fatal(line, problem, "remove it") from None


def _decoded(source: bytes, report: Report) -> str:
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise report.fatal(line, f"byte {source[error.start]:#04x} is not UTF-8", "save the file as UTF-8") from None


def _explained(error: MarkedYAMLError) -> tuple[int, str, str]:
    """Line, problem and remedy of a syntax error; what is never closed is found late, and told where it was opened."""
    problem, context = str(error.problem), f" {error.context}" if error.context else ""
    mark = error.context_mark if "flow" in context or "quoted" in context else error.problem_mark
    if "'\\t'" in problem:
        return mark.line + 1, "a tab stands where a value or its indentation should begin", "indent with spaces"
    return mark.line + 1, f"not YAML: {problem}{context}", "check indentation, quotes and brackets of this line"


class _Builder:
    """Turns events into nodes."""

    def __init__(self, events: Iterator[Any], report: Report) -> None:
        self._events, self._report = events, report

    def document(self) -> Node:
        next(self._events)  # the start of the stream
        start = next(self._events)
        if isinstance(start, StreamEndEvent):
            raise self._report.fatal(1, "the file is empty", "write at least version: 1 and data_classes: {}")
        if start.version or start.tags:
            raise self._report.fatal(_line(start), "YAML directives are not used here", "remove the lines with %")
        root = self._node(next(self._events), "", 0, MAX_DEPTH)
        self._end()
        return root

    def _end(self) -> None:
        next(self._events)  # the end of the document
        after = next(self._events)
        if not isinstance(after, StreamEndEvent):
            raise self._report.fatal(_line(after), "a second document begins", "keep one policy in one file")

    def _node(self, event: Any, where: str, key_line: int, depth: int) -> Node:
        """`key_line` stands for a value that is empty, since the parser finds its end only at the next token."""
        if event.anchor or event.tag:
            self._refuse_extras(event, Broken(_line(event), where))
        if isinstance(event, ScalarEvent):
            plain = event.style is None
            return Scalar(_line(event) if event.value or not plain else key_line, where, event.value, plain)
        if isinstance(event, AliasEvent):
            return Broken(_line(event), where)
        if not depth:
            raise self._report.fatal(_line(event), "lists and mappings are nested too deeply", "check the indentation")
        return self._inner(event, where, depth - 1)

    def _refuse_extras(self, event: Any, place: Broken) -> None:
        if event.anchor:
            what = "alias *" if isinstance(event, AliasEvent) else "anchor &"
            self._report.error(place, f"the {what}{event.anchor} is not used here", "write the value out")
        else:
            self._report.error(place, f"the tag {event.tag} is not used here", "remove it: every value is text")

    def _inner(self, event: Any, where: str, depth: int) -> Node:
        if isinstance(event, SequenceStartEvent):
            return Sequence(_line(event), where, list(self._items(where, _line(event), depth)))
        return Mapping(_line(event), where, list(self._entries(where, depth)))

    def _items(self, where: str, line: int, depth: int) -> Iterator[Node]:
        for index, event in enumerate(iter(lambda: next(self._events), None)):
            if isinstance(event, SequenceEndEvent):
                return
            yield self._node(event, f"{where}[{index}]", line, depth)

    def _entries(self, where: str, depth: int) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, int] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, where, _line(event), depth)
            if not isinstance(key, Scalar):
                raise self._report.fatal(key.line, "a key is not plain text", "write keys as words")
            key.where = f"{where}.{_shown(key.text)}" if where else _shown(key.text)
            value = self._node(next(self._events), key.where, key.line, depth)
            if key.text in seen:
                self._report.error(key, f"the key stands in line {seen[key.text]} already", "remove one of the two")
                continue
            seen[key.text] = key.line
            yield key, value


def _shown(key: str) -> str:
    return key if key.isprintable() and len(key) < 100 else ascii(key[:100])


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1

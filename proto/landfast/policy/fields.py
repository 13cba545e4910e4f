"""Typed access to the nodes of a policy file; whatever does not fit is reported and reads as None or nothing."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from landfast.policy import nodes
from landfast.policy.errors import InvalidError
from landfast.policy.nodes import Node
from landfast.policy.report import Report
from landfast.policy.texts import did_you_mean

_T = TypeVar("_T")
_Choice = TypeVar("_Choice", bound=StrEnum)


class Fields:
    """Reads nodes, and reports what is wrong with them to `report`."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def entries(self, node: Node | None) -> list[tuple[nodes.Scalar, Node]]:
        """Key and value nodes of a mapping whose keys are names."""
        if isinstance(node, nodes.Mapping):
            return node.entries
        self._wrong_kind(node, "a mapping (name: value)")
        return []

    def mapping(self, node: Node, known: Iterable[str], required: Mapping[str, str]) -> dict[str, Node]:
        """Values by key. `required` keys come with the remedy for their absence."""
        entries, keys = self.entries(node), set(known)
        for key, _ in entries:
            if key.text not in keys:
                self.report.error(key, "the key is unknown here", did_you_mean(key.text, keys))
        found = {key.text: value for key, value in entries if key.text in keys}
        for name in required.keys() - found.keys() if isinstance(node, nodes.Mapping) else ():
            self.report.error(node, f"{name} is missing", required[name])
        return found

    def items(self, node: Node | None) -> list[Node]:
        """Items of a list."""
        if isinstance(node, nodes.Sequence):
            return node.items
        self._wrong_kind(node, "a list (- item, or [item, item])")
        return []

    def value(self, node: Node | None, parse: Callable[[str], _T]) -> _T | None:
        """What `parse` makes of a text."""
        if not isinstance(node, nodes.Scalar) or node.is_null:
            self._wrong_kind(node, "a text")
            return None
        try:
            return parse(node.text)
        except InvalidError as error:
            self.report.refused(node, error)
            return None

    def choice(self, node: Node | None, default: _Choice) -> _Choice:
        """One of the words of an enumeration; `default` where nothing is written."""
        return self.value(node, lambda text: _chosen(text, type(default))) or default

    def _wrong_kind(self, node: Node | None, wanted: str) -> None:
        if isinstance(node, nodes.Scalar) and node.is_null:
            self.report.error(node, "there is no value", f"write {wanted}, or leave the key out")
        elif node is not None and not isinstance(node, nodes.Broken):
            self.report.error(node, f"it is {_KINDS[type(node)]}", f"write {wanted}")


_KINDS = {nodes.Scalar: "a text", nodes.Sequence: "a list", nodes.Mapping: "a mapping"}


def _chosen(text: str, words: type[_Choice]) -> _Choice:
    if text not in tuple(words):
        raise InvalidError(f"{text!r} is not possible here", f"write {' or '.join(words)}")
    return words(text)

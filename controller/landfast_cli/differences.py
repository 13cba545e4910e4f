"""What a policy would change, and whether that lets out more."""

from collections.abc import Iterator, Sequence

from click import style

from landfast.policy.diff import Change, diff
from landfast.policy.model import Draft, Policy
from landfast.policy.widening import Widening, widenings

_NOTHING = Draft((), {})

_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}
_WIDER, _SAFE = "magenta", "green"

#: Widenings that people are shown; programs get all.
_SHOWN = 10


def between(before: Policy | None, after: Draft) -> list[Change]:
    """Everything that `after` would change in the policy that is there, if one is."""
    return diff(before or _NOTHING, after)


def widened(before: Policy | None, after: Draft) -> tuple[Widening, ...]:
    """Every way in which `after` lets out more. Without a policy nothing is held back, so the first one widens none."""
    return widenings(before or _NOTHING, after)


def coloured(changes: Sequence[Change]) -> Iterator[str]:
    """A line for each, in the colours of what was added, removed, and changed. Only a terminal shows them."""
    return (style(str(each), fg=_COLOURS[each.kind.rpartition("-")[2]]) for each in changes)


def told(found: Sequence[Widening], *, is_first: bool) -> str:
    """Widenings in lines for people."""
    if is_first:
        return style("is the first policy, and takes the approvals of one that widens", fg=_WIDER)
    if not found:
        return style("widens nothing", fg=_SAFE)
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    ways = "1 way" if len(found) == 1 else f"{len(found)} ways"
    return style("\n  ".join([f"widens in {ways}:", *map(str, found[:_SHOWN]), *more]), fg=_WIDER)

"""What a policy would change, and whether that lets out more."""

from collections.abc import Sequence

from landfast.policy.diff import Change, diff
from landfast.policy.model import Draft, Policy
from landfast.policy.widening import Widening, widenings

_NOTHING = Draft((), {})

#: Widenings that people are shown; programs get all.
_SHOWN = 10


def between(before: Policy | None, after: Draft) -> list[Change]:
    """Everything that `after` would change in the policy that is there, if one is."""
    return diff(before or _NOTHING, after)


def widened(before: Policy | None, after: Draft) -> tuple[Widening, ...]:
    """Every way in which `after` lets out more. Without a policy nothing is held back, so the first one widens none."""
    return widenings(before or _NOTHING, after)


def told(found: Sequence[Widening]) -> str:
    """Widenings in lines for people."""
    if not found:
        return "widens nothing"
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    ways = "1 way" if len(found) == 1 else f"{len(found)} ways"
    return "\n  ".join([f"widens in {ways}:", *map(str, found[:_SHOWN]), *more])

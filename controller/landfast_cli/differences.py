"""What a policy file would change."""

from landfast.policy.diff import Change, diff
from landfast.policy.model import Draft, Policy

_NOTHING = Draft((), {})


def between(before: Policy | None, after: Draft) -> list[Change]:
    """Everything that `after` would change in the policy that is there, if one is."""
    return diff(before or _NOTHING, after)

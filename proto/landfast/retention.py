"""How long the log keeps its entries: policies that are published in it, and when one of them permits pruning.

A policy counts from its own publication: nothing is pruned by it before it has stood in the log for `NOTICE_S`, so that
auditors have that long to make a copy. Of several policies within that time the one that keeps entries longest decides:
a longer one holds at once, a shorter one after the notice. Without a policy everything is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from landfast.tlog.errors import TlogError
from landfast.v1.audit_pb2 import ControlAction

#: Seconds that a policy must have stood in the log before anything is pruned by it.
NOTICE_S = 7 * 24 * 3600

_NS, _DAY_S = 10**9, 24 * 3600


@dataclass(frozen=True)
class Policy:
    """Published as entry `index`. Entries are kept for at least `keep_s` seconds; None: for ever."""

    index: int
    published_ns: int
    keep_s: int | None

    @classmethod
    def read(cls, index: int, published_ns: int, action: ControlAction) -> Self:
        """Raises TlogError for what says nothing that can be understood."""
        return cls(index, published_ns, number(action.fields["keep_s"]) if "keep_s" in action.fields else None)

    @property
    def words(self) -> str:
        return "for ever" if self.keep_s is None else f"for {self.keep_s / _DAY_S:g} days"

    def permits(self, received_ns: int, at_ns: int) -> bool:
        """Whether it lets an entry be pruned at `at_ns` that was stored at `received_ns`."""
        return self.keep_s is not None and received_ns + self.keep_s * _NS <= at_ns


@dataclass(frozen=True)
class Permission:
    """`deciding` says how old entries must be; `standing` is the policy that has stood for the notice.

    What `standing` permits does not reach beyond itself: whoever reads what is left of the log finds it there.
    """

    deciding: Policy
    standing: Policy


def permission(history: Sequence[Policy], at_ns: int) -> Permission | None:
    """What the policies published up to `at_ns`, in order, permit then. None: nothing may be pruned."""
    noticed_ns = at_ns - NOTICE_S * _NS
    older = [policy for policy in history if policy.published_ns <= noticed_ns]
    if not older:
        return None
    standing, newer = older[-1], history[len(older) :]
    return Permission(max((standing, *newer), key=_length), standing)


def number(text: str) -> int:
    """A number in an action of the log. Raises TlogError for what is none."""
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise TlogError(f"{text[:40]!r} is not a number")
    return int(text)


def _length(policy: Policy) -> tuple[bool, int]:
    return policy.keep_s is None, policy.keep_s or 0

"""Policies that were refused: an event for each reason, and a count of those that come again for the same one.

Whoever holds the controller may send the same thing as often as they like; the events of a host are not theirs to fill.
"""

from collections.abc import Callable

from landfast.v1.batch_pb2 import NoticeKind

Notify = Callable[[NoticeKind.ValueType, str, dict[str, str]], None]

_REASONS = 64  # that are known at a time


class Refusals:
    """Of one host. `notify` records what happened as an event."""

    def __init__(self, notify: Notify) -> None:
        self._notify = notify
        self._again: dict[str, int] = {}

    def add(self, why: str) -> None:
        if why in self._again:
            self._again[why] += 1
            return
        if len(self._again) >= _REASONS:
            self.settle()
        self._again[why] = 0
        self._notify(NoticeKind.NOTICE_KIND_POLICY_REJECTED, f"policy rejected: {why}", {"reason": why})

    def settle(self) -> None:
        """Tells what was only counted since the last call, which is to be a minute ago."""
        again, self._again = self._again, {}
        for why, times in again.items():
            if times:
                text, fields = f"policy rejected {times} more times: {why}", {"reason": why, "times": str(times)}
                self._notify(NoticeKind.NOTICE_KIND_POLICY_REJECTED, text, fields)

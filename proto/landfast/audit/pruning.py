"""Was everything that is pruned announced in the log, and was it old enough by a policy that had stood there?

Each pruning is judged by what is left of the log after it: the oldest entry that remains is younger than everything
that is gone, and the policy that permits a pruning is never pruned by it (landfast.retention).
"""

import time
from collections.abc import Iterator

from landfast import retention
from landfast.audit.findings import Finding
from landfast.retention import Policy
from landfast.tlog.bundle import Entry
from landfast.tlog.tiles import WIDTH
from landfast.v1.audit_pb2 import ControlAction


class Pruning:
    """`begin` is the index of the oldest entry that there is."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        self._announced = 0
        self._policies: list[Policy] = []
        self._stored: dict[int, int] = {}  # when the first entry of each bundle was stored
        self._now_ns = time.time_ns()

    def take(self, index: int, entry: Entry) -> None:
        if index % WIDTH == 0:
            self._stored[index] = entry.received_ns

    def publish(self, index: int, at_ns: int, action: ControlAction) -> None:
        """Takes a policy. Raises TlogError for what is none."""
        self._policies.append(Policy.read(index, at_ns, action))

    def announce(self, index: int, at_ns: int, action: ControlAction) -> Iterator[Finding]:
        """Takes the announcement of a pruning. What is wrong with it; TlogError when it names no entry."""
        below = retention.number(action.subject)
        if below >= self.begin:  # else another one after it has pruned what it would be judged by
            self._announced = max(self._announced, below)
            if why := self._objection(index, below, at_ns):
                yield Finding("pruned", f"the pruning of entries below {below}, announced here: {why}")

    def _objection(self, index: int, below: int, at_ns: int) -> str:
        permission = retention.permission(self._policies, at_ns)
        if below % WIDTH or below > index:
            return "it is not at the beginning of a bundle before it"
        if permission is None:
            return f"no policy had stood in the log for {retention.NOTICE_S // 86400} days"
        if permission.standing.index < below:
            return f"it takes away the policy that permits it, entry {permission.standing.index}"
        if not permission.deciding.permits(self._stored.get(below, at_ns), at_ns):
            return f"earlier than the policy at index {permission.deciding.index} allows ({permission.deciding.words})"
        return "its time has not come yet" if at_ns > self._now_ns else ""

    def end(self) -> Iterator[Finding]:
        """After the last entry: is more gone than was announced?"""
        if self.begin > self._announced:
            permitted = f"entries below {self._announced}" if self._announced else "nothing"
            text = f"entries below {self.begin} are gone, and the pruning of {permitted} was announced after them"
            yield Finding("pruned", text, index=self.begin)

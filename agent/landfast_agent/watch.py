"""Records that the agent acts on, picked out of a whole round at once."""

from dataclasses import dataclass, field

import numpy as np

from landfast.event import numpy_type
from landfast.verdict import Protocol, Reason, Stage, Verdict


@dataclass
class Acts:
    """What is to be done: TCP connections to abort, by cookie, and processes whose open sockets are to be tagged.

    `moved`: somebody tagged may live in a network namespace that is new to us.
    """

    refused: set[int] = field(default_factory=set)
    senders: set[int] = field(default_factory=set)
    adopted: set[int] = field(default_factory=set)
    moved: bool = False

    def __bool__(self) -> bool:
        return bool(self.refused or self.moved)

    def add(self, other: "Acts") -> None:
        self.refused |= other.refused
        self.senders |= other.senders
        self.adopted |= other.adopted
        self.moved |= other.moved


def pick(records: bytes) -> Acts:
    """Connections whose packets were dropped, and processes that the kernel tagged since their cgroup is selected."""
    table = np.frombuffer(records, numpy_type())
    dropped = table[
        (table["stage"] == Stage.EGRESS) & (table["verdict"] == Verdict.DENY) & (table["protocol"] == Protocol.TCP)
    ]
    tasks = table[table["stage"] == Stage.TASK]
    adopted, executed = tasks[tasks["reason"] == Reason.CGROUP], tasks[tasks["reason"] == Reason.EXEC]
    return Acts(
        set(dropped["cookie"].tolist()),
        set(dropped["tgid"].tolist()),
        set(adopted["tgid"].tolist()),
        moved=bool(len(adopted) or len(executed)),
    )

"""What a look at the kernel finds when somebody has altered it."""

from collections.abc import Callable
from dataclasses import dataclass

from landfast.v1.batch_pb2 import NoticeKind


@dataclass(frozen=True)
class Difference:
    """Something that is not as the agent left it. `kind` is the event's; `mend` puts it right, or raises AgentError."""

    kind: NoticeKind.ValueType
    what: str
    mend: Callable[[], object]

"""What of a batch happened in a period.

An event happened when its host's clock said so, and not after the controller had stored it: a host whose clock is ahead
moves nothing out of the period in which the log has it.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from landfast import event
from landfast.batch import BatchView
from landfast.v1.batch_pb2 import Notice
from landfast_cli.report.period import Period

_RECORD = event.numpy_type()


@dataclass(frozen=True)
class Part:
    """`records` and their `times`, arrays of the same length, and `notices` with theirs.

    All of the batch, whether in the period or not, lies between `begin_ns` and `end_ns`; of its events `ahead` are
    dated after they were stored.
    """

    view: BatchView
    records: Any
    times: Any
    notices: tuple[tuple[Notice, int], ...]
    begin_ns: int
    end_ns: int
    ahead: int

    @classmethod
    def of(cls, view: BatchView, received_ns: int, period: Period) -> Self:
        """A batch that is only a count has the time at which it was stored."""
        message = view.message
        records = np.frombuffer(message.records, dtype=_RECORD)
        dated = records["time_ns"].astype(np.int64) + message.clock_offset_ns
        times = np.minimum(dated, received_ns)
        noticed = [min(notice.time_ns, received_ns) for notice in message.notices]
        inside = (times >= period.begin_ns) & (times < period.end_ns)
        told = tuple(pair for pair in zip(message.notices, noticed, strict=True) if pair[1] in period)
        every = [*((int(times.min()), int(times.max())) if len(times) else ()), *noticed] or [received_ns]
        ahead = int(np.count_nonzero(dated > received_ns)) + sum(n.time_ns > received_ns for n in message.notices)
        return cls(view, records[inside], times[inside], told, min(every), max(every), ahead)

    @property
    def is_empty(self) -> bool:
        return not len(self.records) and not self.notices

"""Do a host's numbers add up? What the kernel counted, against what its batches hold.

A batch that ends a round of the recorder tells how far the ring buffer was read, in bytes since it was made, and what
the kernel's counters were. So between two of them there must be exactly as many events as records fit between the
positions, and as many reported as lost as the counters say.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from landfast import event
from landfast.v1.batch_pb2 import Batch, Notice, NoticeKind
from landfast.verdict import Stage

#: Bytes of the ring that a record takes: a header before it (https://docs.kernel.org/bpf/ringbuf.html).
STRIDE = 8 + event.SIZE

_COUNTERS, _LOST = 8, 6  # LF_COUNTERS, LF_C_LOST of bpf/landfast.h


@dataclass(frozen=True)
class Mark:
    """How far a ring was read, and what had been lost by then."""

    boot_id: str
    position: int
    lost: int

    def since(self, before: "Mark") -> tuple[int, int]:
        """Records that passed since `before`, and records that were lost."""
        return (self.position - before.position) // STRIDE, self.lost - before.lost


@dataclass
class Account:
    """One host's. `lost` and `folded` are sums over everything that it reported."""

    lost: int = 0
    folded: int = 0
    _records: int = 0  # since the mark
    _reported: int = 0
    _mark: Mark | None = None

    def begin_anew(self) -> None:
        """What follows has nothing to do with what came before."""
        self._mark, self._records, self._reported = None, 0, 0

    def take(self, message: Batch) -> Iterator[str]:
        """Adds a batch. What does not add up, one sentence for each."""
        folded, lost = message.folded.allowed + message.folded.other, dict(losses(message.notices))
        self.folded += folded
        self.lost += sum(lost.values())
        self._records += len(message.records) // event.SIZE + folded
        self._reported += sum(number for stage, number in lost.items() if stage in Stage.__members__)
        if message.counters and not message.HasField("folded"):  # folded ones may go on beyond their mark
            yield from self._settle(_mark_of(message))

    def _settle(self, mark: Mark) -> Iterator[str]:
        differences = [mark.since(before) for before in self._before(mark)]
        told = self._records, self._reported
        if self._mark and told not in differences:
            passed, lost = differences[0]
            yield f"the kernel gave {passed} records and lost {lost}; {told[0]} are here, {told[1]} reported as lost"
        self._mark, self._records, self._reported = mark, 0, 0

    def _before(self, mark: Mark) -> list[Mark]:
        """Where this interval may have begun: at the mark before, or with a ring that was made since."""
        anew = Mark(mark.boot_id, 0, 0)
        return [self._mark, anew] if self._mark and self._mark.boot_id == mark.boot_id else [anew]


def _mark_of(message: Batch) -> Mark:
    lost = sum(message.counters[stage * _COUNTERS + _LOST] for stage in Stage)
    return Mark(message.boot_id, message.ring_position, lost)


def losses(notices: Iterable[Notice]) -> Iterator[tuple[str, int]]:
    """What they report as lost, by stage; `NOTICES` are the agent's own."""
    for notice in notices:
        if notice.kind == NoticeKind.NOTICE_KIND_LOST:
            yield from ((where, int(number)) for where, number in notice.fields.items() if number.isdecimal())

"""What a full spool does: events become counts, allowed flows first, and their sequence numbers stay accounted for."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from landfast import batch, event
from landfast.v1.batch_pb2 import Batch, Folded, Process, RuleName
from landfast.verdict import Reason, Stage, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Size in bytes of a merged batch. Folding one event of a full batch adds up to 800 bytes of offsets.
TARGET_BYTES = batch.MAX_BYTES - 2000

#: Which records are to go, by their verdicts.
Choice = Callable[["NDArray[np.uint8]"], "NDArray[np.bool_]"]


def allowed_flows(verdicts: "NDArray[np.uint8]") -> "NDArray[np.bool_]":
    """Which records are folded first."""
    return np.equal(verdicts, Verdict.ALLOW)


def everything(verdicts: "NDArray[np.uint8]") -> "NDArray[np.bool_]":
    """Which records are folded when no allowed flow is left. Notices are never folded."""
    return np.ones(len(verdicts), np.bool_)


def count_records(message: Batch) -> tuple[int, int]:
    """How many records are left in a batch: allowed flows, and others."""
    rows = _rows(message)
    allowed = int(np.count_nonzero(rows["verdict"] == Verdict.ALLOW))
    return allowed, len(rows) - allowed


def fold(messages: Iterator[Batch], which: Choice) -> Iterator[Batch]:
    """Batches in place of `messages`, covering the same sequence numbers in fewer bytes."""
    waiting: Batch | None = None
    for message in messages:
        thinned = thin(message, which)
        merged = merge(waiting, thinned) if waiting else thinned
        if merged is None and waiting:
            yield waiting
        waiting = merged or thinned
    if waiting:
        yield waiting


def thin(message: Batch, which: Choice) -> Batch:
    """The batch with those records folded into counts."""
    rows = _rows(message)
    gone = which(rows["verdict"])
    allowed = np.count_nonzero(gone & allowed_flows(rows["verdict"]))
    bytes_out, bytes_in = event.amounts_of(rows[gone & (rows["stage"] == Stage.FLOW)]).sum(axis=0).tolist()
    left = Batch()
    left.CopyFrom(message)
    left.records = rows[~gone].tobytes()
    left.folded.CopyFrom(
        Folded(
            allowed=message.folded.allowed + int(allowed),
            other=message.folded.other + int(np.count_nonzero(gone) - allowed),
            bytes_out=message.folded.bytes_out + bytes_out,
            bytes_in=message.folded.bytes_in + bytes_in,
            offsets=_left_offsets(message, ~gone),
        )
    )
    _forget_unnamed(left)
    return left


def merge(first: Batch, second: Batch) -> Batch | None:
    """Both batches as one; None when they do not fit together: of another boot or clock, or too large."""
    if (first.boot_id, first.clock_offset_ns) != (second.boot_id, second.clock_offset_ns):
        return None
    if len(first.records) + len(second.records) > batch.MAX_RECORDS * event.SIZE:
        return None
    merged = Batch()
    merged.CopyFrom(first)
    merged.records += second.records
    merged.notices.extend(second.notices)
    merged.counters[:] = second.counters or first.counters
    merged.ring_position = second.ring_position or first.ring_position
    if second.counters:
        merged.policy_version, merged.policy_digest = second.policy_version, second.policy_digest
    merged.classes.update(second.classes)
    merged.unix_names.update(second.unix_names)
    merged.folded.CopyFrom(_merged_folding(first, second))
    executions, rules = set(map(_execution, first.processes)), set(map(_rule, first.rules))
    refusals = set(map(batch.refusal, first.listeners))
    merged.processes.extend(each for each in second.processes if _execution(each) not in executions)
    merged.rules.extend(each for each in second.rules if _rule(each) not in rules)
    merged.listeners.extend(each for each in second.listeners if batch.refusal(each) not in refusals)
    return merged if merged.ByteSize() <= TARGET_BYTES else None


def _rows(message: Batch) -> "NDArray[np.void]":
    return np.frombuffer(message.records, event.numpy_type())


def _offsets(message: Batch) -> "tuple[NDArray[np.uint64], NDArray[np.uint64]]":
    """Offsets of the records, and of the notices."""
    records = len(message.records) // event.SIZE
    offsets: Sequence[int] = message.folded.offsets if message.HasField("folded") else range(batch.size(message))
    array = np.fromiter(offsets, np.uint64, records + len(message.notices))
    return array[:records], array[records:]


def _left_offsets(message: Batch, left: "NDArray[np.bool_]") -> list[int]:
    records, notices = _offsets(message)
    return [*records[left].tolist(), *notices.tolist()]


def _merged_folding(first: Batch, second: Batch) -> Folded:
    (records, notices), (later_records, later_notices) = _offsets(first), _offsets(second)
    shift = np.uint64(second.first_sequence - first.first_sequence)
    parts = records, later_records + shift, notices, later_notices + shift
    return Folded(
        allowed=first.folded.allowed + second.folded.allowed,
        other=first.folded.other + second.folded.other,
        bytes_out=first.folded.bytes_out + second.folded.bytes_out,
        bytes_in=first.folded.bytes_in + second.folded.bytes_in,
        offsets=np.concatenate(parts).tolist(),
    )


def _forget_unnamed(message: Batch) -> None:
    """Drops processes, rules, listeners, names of sockets and classes that no record names any more."""
    rows = _rows(message)
    executions = set(zip(rows["tgid"].tolist(), rows["image"].tolist(), strict=True))
    rules = set(zip(rows["version"].tolist(), rows["rule"].tolist(), strict=True))
    refused = rows[rows["reason"] == Reason.UNTAGGED_PEER].tobytes()
    refusals = set(map(batch.refusal_of, event.read_all(refused)))
    listeners = [each for each in message.listeners if batch.refusal(each) in refusals]
    named = int(np.bitwise_or.reduce(rows["tags"], initial=0))
    for each in listeners:
        named |= each.tags
    processes = [each for each in message.processes if _execution(each) in executions]
    named_rules = [each for each in message.rules if _rule(each) in rules]
    del message.processes[:], message.rules[:], message.listeners[:]
    message.processes.extend(processes)
    message.listeners.extend(listeners)
    message.rules.extend(named_rules)
    sockets = set(rows["detail"][rows["stage"] == Stage.UNIX].tolist())
    for key in set(message.unix_names) - sockets:
        del message.unix_names[key]
    for bit in [bit for bit in message.classes if not named >> bit & 1]:
        del message.classes[bit]


def _execution(process: Process) -> tuple[int, int]:
    return process.tgid, process.image


def _rule(rule: RuleName) -> tuple[int, int]:
    return rule.version, rule.rule

"""From kernel records to batches: adds what the records name, and cuts them so that each batch fits.

Per event there is numpy only; Python runs once for each execution and rule of a round.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from landfast import batch, event
from landfast.event import Event
from landfast.v1.batch_pb2 import Batch, Listener, Notice, Process, RuleName
from landfast.verdict import Protocol as Transport
from landfast.verdict import Reason, Stage
from landfast_agent.folding import TARGET_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOTICES = 64  # of one batch
_NONE = -1
_ROOM = TARGET_BYTES - 1024  # leaves room for host name, counters and the like


class Names(Protocol):
    """Who knows the policies, old ones too: `landfast_agent.policy_store.PolicyStore`."""

    def rule_text(self, version: int, number: int) -> str:
        """One line about a rule."""

    def class_names(self, version: int) -> Mapping[int, str]:
        """Names by bit, of the newest version for 0; empty for a version that is not known any more."""


class Executions(Protocol):
    """Who knows processes: `landfast_agent.processes.Processes`."""

    def describe(self, event: Event) -> Process: ...


class Refusals(Protocol):
    """Who can explain refusals on this host: `landfast_agent.listeners.Listeners`."""

    def explain(self, event: Event, process: Process) -> Listener | None: ...


class Sockets(Protocol):
    """Who knows names of unix sockets: `landfast_agent.unix_names.UnixNames`."""

    def unix_name(self, key: int) -> str:
        """The name that the kernel keeps under `key`; empty when it is not kept any more."""


@dataclass(frozen=True)
class Frame:
    """What all batches of a round have in common, and what the last one says of the kernel."""

    boot_id: str
    clock_offset_ns: int
    counters: Sequence[int]
    ring_position: int
    policy: tuple[int, bytes]  # version and digest


@dataclass(frozen=True)
class Knowledge:
    """Whoever knows what the records name."""

    executions: Executions
    names: Names
    refusals: Refusals
    sockets: Sockets


def make(records: bytes, notices: Sequence[Notice], frame: Frame, known: Knowledge) -> list[Batch]:
    """The drafts of a round, for `Spool.append`: the records in order, then the notices."""
    described = _Described(records, known)
    parts = [
        *_cut(described.draft, len(records) // event.SIZE, batch.MAX_RECORDS),
        *_cut(lambda begin, end: Batch(notices=notices[begin:end]), len(notices), _NOTICES),
    ]
    for part in parts:
        part.boot_id, part.clock_offset_ns, part.record_size = frame.boot_id, frame.clock_offset_ns, event.SIZE
    if parts:
        parts[-1].counters[:] = frame.counters
        parts[-1].ring_position = frame.ring_position
        parts[-1].policy_version, parts[-1].policy_digest = frame.policy
    return parts


def _cut(make: Callable[[int, int], Batch], count: int, step: int) -> Iterator[Batch]:
    """Batches of at most `step` events, fewer where their names need the room."""
    for begin in range(0, count, step):
        yield from _fitting(make, begin, min(begin + step, count))


def _fitting(make: Callable[[int, int], Batch], begin: int, end: int) -> Iterator[Batch]:
    made = make(begin, end)
    if made.ByteSize() <= _ROOM or end - begin == 1:
        yield made
        return
    middle = (begin + end) // 2
    yield from _fitting(make, begin, middle)
    yield from _fitting(make, middle, end)


class _Described:
    """The records of a round with the executions, rules, listeners and sockets that they name, each found once."""

    def __init__(self, records: bytes, known: Knowledge) -> None:
        self._names = known.names
        self._rows = np.frombuffer(records, event.numpy_type())
        firsts, self._execution = _pairs(self._rows["image"], self._rows["tgid"])
        self._processes = [known.executions.describe(event.read(self._rows[at].tobytes())) for at in firsts]
        firsts, self._rule = _pairs(self._rows["version"], self._rows["rule"])
        self._rules = [self._rule_name(at) for at in firsts]
        firsts, self._refusal = _refusals(self._rows)
        self._listeners = [self._explain(at, known.refusals) for at in firsts]
        self._unix_names = {key: known.sockets.unix_name(key) for key in _unix_keys(self._rows)}

    def _explain(self, at: int, refusals: Refusals) -> Listener | None:
        process = self._processes[self._execution[at]]
        return refusals.explain(event.read(self._rows[at].tobytes()), process)

    def _rule_name(self, at: int) -> RuleName:
        version, rule = int(self._rows["version"][at]), int(self._rows["rule"][at])
        return RuleName(version=version, rule=rule, text=self._names.rule_text(version, rule)[:512] if rule else "")

    def draft(self, begin: int, end: int) -> Batch:
        """The batch of a slice of the records."""
        rows = self._rows[begin:end]
        rules = (self._rules[at] for at in np.unique(self._rule[begin:end]))
        told = (self._listeners[at] for at in np.unique(self._refusal[begin:end]) if at != _NONE)
        listeners = [each for each in told if each]
        tags = int(np.bitwise_or.reduce(rows["tags"]))
        for each in listeners:
            tags |= each.tags
        return Batch(
            records=rows.tobytes(),
            processes=[self._processes[at] for at in np.unique(self._execution[begin:end])],
            rules=[rule for rule in rules if rule.text],
            listeners=listeners,
            classes=self._classes(tags, int(rows["version"].max())),
            unix_names={key: name for key in _unix_keys(rows) if (name := self._unix_names[key])},
        )

    def _classes(self, mask: int, version: int) -> dict[int, str]:
        return {bit: name for bit, name in self._names.class_names(version).items() if mask >> bit & 1}


def _refusals(rows: "NDArray[np.void]") -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """Refusals by who listens on this host: index of the first row of each different one, and for each row which it is.

    Who answers is not meant: there the local port is what was listened on.
    """
    listened = np.isin(rows["protocol"], (Transport.TCP, Transport.UDP)) & (rows["flags"] & event.SERVING == 0)
    at = np.flatnonzero(listened & (rows["reason"] == Reason.UNTAGGED_PEER) & (rows["remote_port"] != 0))
    some = rows[at]
    where, which = np.ascontiguousarray(some["remote"]).view("u8").reshape(-1, 2), np.full(len(rows), _NONE)
    ports = some["tgid"].astype("u8") << 24 | some["remote_port"].astype("u8") << 8 | some["protocol"]
    _, firsts, which[at] = np.unique(np.column_stack((where, ports)), axis=0, return_index=True, return_inverse=True)
    return at[firsts], which


def _unix_keys(rows: "NDArray[np.void]") -> list[int]:
    """Under which keys the kernel keeps the names of the unix sockets in question."""
    keys = np.unique(rows["detail"][rows["stage"] == Stage.UNIX])
    return [int(key) for key in keys[keys != 0]]


def _pairs(high: "NDArray[np.uint64]", low: "NDArray[np.uint32]") -> "tuple[NDArray[np.intp], NDArray[np.intp]]":
    """For the different pairs of two columns: index of the first row of each, and for each row which pair it has."""
    _, rank = np.unique(high, return_inverse=True)
    key = rank.astype(np.uint64) << np.uint64(32) | low
    _, firsts, which = np.unique(key, return_index=True, return_inverse=True)
    return firsts, which

"""Who sent what where, and who was refused: the kernel's decisions of a period, by what they have in common."""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from landfast import event, render
from landfast.batch import BatchView
from landfast.event import Event
from landfast.flows import Omission, Omitted, kind_of, why_omitted
from landfast.policy.numbering import RuleKind
from landfast.v1.batch_pb2 import Process
from landfast.verdict import Reason, Stage, Verdict
from landfast_cli.report.bounds import Groups, Sum
from landfast_cli.report.part import Part
from landfast_cli.report.period import NS
from landfast_cli.report.texts import told

_DAY_NS = 86400 * NS

#: What does not tell one decision from another of the same kind.
_PASSING = ("cookie", "tid", "uid", "cgroup_id", "pad")

_STAGES, _VERDICTS = frozenset(Stage), frozenset(Verdict)


class Flow(NamedTuple):
    """Decisions that let something pass. `direction` tells who called whom."""

    classes: tuple[str, ...]
    direction: str
    destination: str
    rule: str


class Refusal(NamedTuple):
    """Decisions that something is denied, or would be if its class enforced."""

    verdict: str
    classes: tuple[str, ...]
    direction: str
    destination: str
    reason: str
    process: str
    host: str


class Traffic:
    """`classes` are sums by class and verdict: a decision about a process of two classes counts for both."""

    def __init__(self) -> None:
        self.flows: Groups[Flow] = Groups()
        self.refusals: Groups[Refusal] = Groups()
        self.classes: Groups[tuple[str, str]] = Groups()
        self.days: Counter[tuple[int, str]] = Counter()  # by days since 1970, and verdict
        self.verdicts: Counter[str] = Counter()
        self.omitted = Omitted()
        self.unknown = 0
        self._numbers: dict[str, int] = {}

    def take(self, part: Part) -> int:
        """Adds what is decided in `part`. How often a canary was refused there.

        Records of a stage that only a newer host knows are counted in `unknown`, and no more.
        """
        canaries, number = 0, self._numbers.setdefault(part.view.host, len(self._numbers))
        classes = lru_cache(lambda tags: tuple(map(told, part.view.classes(tags))))
        for item, seen in _grouped(part):
            if item.stage not in _STAGES:
                self.unknown += seen.count
                continue
            seen.hosts = 1 << number
            if item.traffic:
                self._group(part.view, item, classes(item.tags), seen)
                continue
            omission = why_omitted(part.view, item)
            if omission is None or (omission == Omission.NOT_JUDGED and item.verdict in _VERDICTS):
                self._add(part.view, item, classes(item.tags), seen)
                continue
            self.omitted[omission] += seen.count
            canaries += seen.count if omission == Omission.CANARY else 0
        return canaries

    def _add(self, view: BatchView, item: Event, classes: tuple[str, ...], seen: Sum) -> None:
        verdict = render.name(Verdict, item.verdict)
        self.verdicts[verdict] += seen.count
        self.days[seen.first_ns // _DAY_NS, verdict] += seen.count
        self._group(view, item, classes, seen)

    def _group(self, view: BatchView, item: Event, classes: tuple[str, ...], seen: Sum) -> None:
        """Decisions, or what flows come to: both by what they have in common."""
        verdict = render.name(Verdict, item.verdict)
        for name in classes:
            self.classes.add((name, verdict), seen)
        direction, destination = _where(view, item)
        if item.verdict == Verdict.ALLOW:
            self.flows.add(Flow(classes, direction, destination, _why(view, item)), seen)
        else:
            reason, process = render.name(Reason, item.reason), _process(view, item)
            self.refusals.add(Refusal(verdict, classes, direction, destination, reason, process, told(view.host)), seen)


def _grouped(part: Part) -> Iterator[tuple[Event, Sum]]:
    """Of the records that differ in nothing but the time one, and how many there are; each day's by themselves."""
    if not len(part.records):
        return
    kinds = np.unique(_keys(part.records, part.times), return_index=True, return_inverse=True, return_counts=True)
    _, at, which, counts = kinds
    amounts = _amounts(part.records, which, len(at))
    first, last = np.full(len(at), np.iinfo(np.int64).max), np.full(len(at), np.iinfo(np.int64).min)
    np.minimum.at(first, which, part.times)
    np.maximum.at(last, which, part.times)
    for number, index in enumerate(at):
        item, (bytes_out, bytes_in) = event.read(part.records[index].tobytes()), amounts[number]
        count = 0 if item.traffic else int(counts[number])  # a flow is no decision
        yield item, Sum(int(first[number]), int(last[number]), count, 0, int(bytes_out), int(bytes_in))


def _amounts(records: Any, which: Any, groups: int) -> Any:
    """Bytes sent and received by the flows of each group."""
    sums, flows = np.zeros((groups, 2), np.uint64), records["stage"] == Stage.FLOW
    np.add.at(sums, which[flows], event.amounts_of(records[flows]))
    return sums


def _keys(records: Any, times: Any) -> Any:
    """Each record without what is passing, as bytes that can be ordered. The port of who called us, or ours, is too."""
    kept = records.copy()
    kept["time_ns"] = times // _DAY_NS
    for name in _PASSING:
        kept[name] = 0
    serving = (kept["flags"] & event.SERVING) != 0
    kept["remote_port"][serving] = 0
    kept["local_port"][~serving] = 0
    kept["ifindex"][kept["stage"] != Stage.DEVICE] = 0
    flows = kept["stage"] == Stage.FLOW
    kept["comm"][flows] = b""
    kept["detail"][flows] = 0
    return kept.view(f"S{event.SIZE}")


def _where(view: BatchView, item: Event) -> tuple[str, str]:
    kind = kind_of(item)
    if kind == RuleKind.SERVE:
        return f"answers at port {item.local_port}", told(render.target(view, item._replace(remote_port=0)))
    return "own host" if kind == RuleKind.PEERS else "out", told(render.target(view, item))


def _why(view: BatchView, item: Event) -> str:
    """The rule that allowed it, or the reason where no single rule did."""
    several = " (more than one allows it)" if item.reason == Reason.RULE and not item.rule else ""
    return told(view.rule(item)) or render.name(Reason, item.reason) + several


def _process(view: BatchView, item: Event) -> str:
    known = view.process(item) or Process()
    unit = f" ({known.unit})" if known.unit else ""
    return told((known.executable or known.comm or item.comm or "?") + unit)

"""What of the log somebody should look at. Pure: the same entries, the same findings."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from landfast import batch, event, render
from landfast.batch import BatchView
from landfast.event import printable
from landfast.tlog.bundle import Kind
from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import Notice, NoticeKind
from landfast.verdict import Verdict
from landfast_controller.pages import Entry

DENIALS, SILENT_HOST, WITNESS = "denials", "silent-host", "witness"

#: Rules about one notice of a host.
_NOTICES = {
    NoticeKind.NOTICE_KIND_CANARY_FAILED: "canary",
    NoticeKind.NOTICE_KIND_MAPS_ALTERED: "tamper",
    NoticeKind.NOTICE_KIND_HOOKS_ALTERED: "tamper",
    NoticeKind.NOTICE_KIND_TAGS_ALTERED: "tamper",
    NoticeKind.NOTICE_KIND_STALE_POLICY: "stale-policy",
    NoticeKind.NOTICE_KIND_LOST: "loss",
    NoticeKind.NOTICE_KIND_FOLDED: "loss",
}

#: Rules about one control action.
_CONTROLS = {ControlAction.KIND_BREAK_GLASS: "break-glass"}

_DESTINATION = ["remote", "remote_port", "protocol", "stage"]


@dataclass(frozen=True)
class Finding:
    """Something that happened `count` times in the entry `index`. `text` is one line for people."""

    rule: str
    subject: str
    text: str
    index: int
    count: int = 1


def findings(entry: Entry) -> Iterator[Finding]:
    """Of DENIALS, all that there are: whether they are many, others decide."""
    if entry.kind == Kind.CONTROL:
        yield from _of_control(ControlAction.FromString(entry.content), entry.index)
        return
    view = batch.decode(entry.content)
    for notice in view.message.notices:
        yield from _of_notice(view, notice, entry.index)
    yield from _denials(view, entry.index)


def _of_control(control: ControlAction, index: int) -> Iterator[Finding]:
    if rule := _CONTROLS.get(control.kind):
        yield Finding(rule, f"policy {printable(control.subject)}", printable(control.text), index)


def _of_notice(view: BatchView, notice: Notice, index: int) -> Iterator[Finding]:
    if rule := _NOTICES.get(notice.kind):
        text = f"{render.notice_kind(notice.kind)}: {printable(notice.text)}"
        yield Finding(rule, printable(view.host), text, index)


def _denials(view: BatchView, index: int) -> Iterator[Finding]:
    """By destination, and stage. What canaries were refused does not count, and what has no destination has none."""
    records = np.frombuffer(view.message.records, dtype=event.numpy_type())
    denied = records[records["verdict"] == Verdict.DENY]
    if len(denied) and (canaries := [process.tgid for process in view.message.processes if process.canary]):
        denied = denied[~np.isin(denied["tgid"], canaries)]
    if not len(denied):
        return
    keys = _keys(denied)
    firsts = {key: at for at, key in reversed([*enumerate(keys)])}
    for key, count in Counter(keys).items():
        one = event.read(denied[firsts[key]].tobytes())
        if one.remote is not None:
            endpoint = render.endpoint(one)
            text = f"{render.name(Verdict, one.verdict)} {printable(view.host)} {one.comm} -> {endpoint}"
            yield Finding(DENIALS, endpoint, text, index, count)


def _keys(records: Any) -> list[bytes]:
    """Of each record its destination and stage."""
    fields = [np.ascontiguousarray(records[name]).view("u1").reshape(len(records), -1) for name in _DESTINATION]
    keys: list[bytes] = np.ascontiguousarray(np.hstack(fields)).view("V20").ravel().tolist()
    return keys

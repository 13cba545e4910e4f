"""What agents told of themselves."""

from typing import NamedTuple

from landfast import render
from landfast.v1.batch_pb2 import NoticeKind
from landfast_cli.report.bounds import Groups, Sum
from landfast_cli.report.part import Part
from landfast_cli.report.texts import told

_N = NoticeKind

#: Kinds that tell of nothing wrong: counted for all hosts together.
_ORDINARY = frozenset(
    (
        _N.NOTICE_KIND_AGENT_STARTED,
        _N.NOTICE_KIND_AGENT_STOPPED,
        _N.NOTICE_KIND_POLICY_APPLIED,
        _N.NOTICE_KIND_TAGGED,
        _N.NOTICE_KIND_CANARY_PASSED,
        _N.NOTICE_KIND_SHADOW,
        _N.NOTICE_KIND_HEARTBEAT,
    )
)


class Told(NamedTuple):
    """`host` is empty for what is nothing wrong."""

    kind: str
    host: str


class Notices:
    """By kind and host; `newest` is the text of the last one of each."""

    def __init__(self) -> None:
        self.groups: Groups[Told] = Groups()
        self.newest: dict[Told, str] = {}

    def take(self, part: Part) -> None:
        for notice, at_ns in part.notices:
            host = "" if notice.kind in _ORDINARY else told(part.view.host)
            key = Told(render.notice_kind(notice.kind), host)
            if self.groups.add(key, Sum(at_ns, at_ns, 1)) and self.groups.sums[key].last_ns == at_ns:
                self.newest[key] = told(notice.text)

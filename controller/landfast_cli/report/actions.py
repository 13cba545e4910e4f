"""Everything else that somebody did to the deployment, in the order of the log, and who has read that."""

from collections import Counter
from dataclasses import dataclass, field

from landfast.v1.audit_pb2 import ControlAction
from landfast_cli.printing import action_name
from landfast_cli.report.bounds import Groups, Kept, Sum
from landfast_cli.report.ledgers import Step
from landfast_cli.report.texts import told, who

_A = ControlAction

#: Where an action is told. What no list names, also what a newer controller does, is told under OTHER.
HOSTS, PEOPLE, TROUBLE, OTHER = "hosts", "people", "trouble", "other"
_SECTIONS = {
    _A.KIND_TOKEN_CREATED: HOSTS,
    _A.KIND_HOST_ENROLLED: HOSTS,
    _A.KIND_HOST_BANNED: HOSTS,
    _A.KIND_HOST_UNBANNED: HOSTS,
    _A.KIND_HOST_EVICTED: HOSTS,
    _A.KIND_HOST_LABELLED: HOSTS,
    _A.KIND_IDENTITY_CREATED: PEOPLE,
    _A.KIND_IDENTITY_REVOKED: PEOPLE,
    _A.KIND_ROOT_PUBLISHED: PEOPLE,
    _A.KIND_POLICY_REJECTED: TROUBLE,
    _A.KIND_MAPS_ALTERED: TROUBLE,
}

#: What happens all the time: only counted.
_COUNTED = frozenset((_A.KIND_HOST_RENEWED, _A.KIND_POLICY_APPLIED, _A.KIND_LOG_READ))


@dataclass(frozen=True)
class Done:
    """An action: its kind, what it was done to, and one line."""

    kind: str
    subject: str
    text: str
    step: Step


@dataclass
class Actions:
    """`sections` by name, `counted` by kind; `readers` are those who have read the log."""

    sections: dict[str, Kept[Done]] = field(
        default_factory=lambda: {s: Kept() for s in (HOSTS, PEOPLE, TROUBLE, OTHER)}
    )
    counted: Counter[str] = field(default_factory=Counter)
    readers: Groups[str] = field(default_factory=Groups)

    def take(self, action: ControlAction, index: int) -> None:
        kind = action_name(action)
        if action.kind == _A.KIND_LOG_READ:
            at_ns = action.time.ToNanoseconds()
            self.readers.add(who(action), Sum(at_ns, at_ns, 1))
        if action.kind in _COUNTED:
            self.counted[kind] += 1
            return
        done = Done(kind, told(action.subject), told(action.text), Step.of(action, index))
        self.sections[_SECTIONS.get(action.kind, OTHER)].add(done)

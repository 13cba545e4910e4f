"""Takes in the entries of a log, one by one, and keeps what a report on a period needs."""

from collections.abc import Callable, Mapping

from landfast.audit.review import Taken
from landfast.batch import BatchView
from landfast.v1.audit_pb2 import ControlAction
from landfast_cli.report.actions import Actions
from landfast_cli.report.coverage import Coverage
from landfast_cli.report.decisions import Changes, Emergencies, Incidents
from landfast_cli.report.notices import Notices
from landfast_cli.report.part import Part
from landfast_cli.report.period import Period
from landfast_cli.report.texts import told
from landfast_cli.report.traffic import Traffic
from landfast_cli.verification import See

_A = ControlAction

_STATES = {_A.KIND_HOST_BANNED: "banned", _A.KIND_HOST_UNBANNED: "", _A.KIND_HOST_EVICTED: "evicted"}
_ROLLOUTS = (
    _A.KIND_ROLLOUT_STAGE,
    _A.KIND_ROLLOUT_PAUSED,
    _A.KIND_ROLLOUT_RESUMED,
    _A.KIND_ROLLOUT_HALTED,
    _A.KIND_ROLLOUT_DONE,
)

Follower = Callable[[ControlAction, int], None]


class Gathering:
    """`first` and `last` are the indexes of the first and the last entry with something of the period, if any."""

    def __init__(self, period: Period, silent_after_s: int) -> None:
        self.period, self._silent_after_s = period, silent_after_s
        self.begin()

    def begin(self) -> See:
        """Forgets everything; returns who is to see the entries from the first on."""
        period = self.period
        self.coverage = Coverage(period, self._silent_after_s)
        self.traffic, self.notices, self.actions = Traffic(), Notices(), Actions()
        self.changes, self.emergencies, self.incidents = Changes(period), Emergencies(period), Incidents(period)
        self.first: int | None = None
        self.last: int | None = None
        self.entries = 0  # that were taken in
        self.ahead = 0  # events that are dated after they were stored
        self.oldest_ns = 0
        self.newest_ns = 0
        self._followers = self._who_follows()
        return self.see

    def _who_follows(self) -> Mapping[ControlAction.Kind.ValueType, tuple[Follower, ...]]:
        changes, incidents, emergencies = self.changes, self.incidents, self.emergencies
        return (
            {
                _A.KIND_CHANGE_PROPOSED: (changes.propose,),
                _A.KIND_CHANGE_APPROVED: (changes.approve,),
                _A.KIND_CHANGE_CLOSED: (changes.close,),
                _A.KIND_POLICY_VERSION: (changes.accept, emergencies.accept),
                _A.KIND_BREAK_GLASS: (emergencies.begin,),
                _A.KIND_INCIDENT_OPENED: (incidents.begin,),
                _A.KIND_INCIDENT_ACKNOWLEDGED: (incidents.acknowledge,),
                _A.KIND_INCIDENT_CLOSED: (incidents.close,),
                _A.KIND_POLICY_APPLIED: (self._prove,),
                _A.KIND_HOST_ENROLLED: (self._enrol,),
            }
            | dict.fromkeys(_STATES, (self._turn,))
            | dict.fromkeys(_ROLLOUTS, (changes.roll_out,))
        )

    def see(self, taken: Taken) -> None:
        self.entries += 1
        self.oldest_ns = self.oldest_ns or taken.received_ns
        self.newest_ns = taken.received_ns
        if isinstance(taken.content, BatchView):
            self._batch(taken.content, taken)
        elif taken.received_ns < self.period.end_ns:
            self._control(taken.content, taken.index, taken.received_ns)

    def end(self) -> None:
        self.coverage.end(self.newest_ns)

    def _batch(self, view: BatchView, taken: Taken) -> None:
        part = Part.of(view, taken.received_ns, self.period)
        self.coverage.take(part)
        if part.is_empty:
            return
        self._cover(taken.index)
        self.ahead += part.ahead
        self.coverage.host(view.host).canaries += self.traffic.take(part)
        self.notices.take(part)

    def _control(self, action: ControlAction, index: int, at_ns: int) -> None:
        if at_ns in self.period:
            self._cover(index)
            self.actions.take(action, index)
        self._follow(action, index)

    def _cover(self, index: int) -> None:
        self.first = index if self.first is None else self.first
        self.last = index

    def _follow(self, action: ControlAction, index: int) -> None:
        """What goes on from before the period into it."""
        for follower in self._followers.get(action.kind, ()):
            follower(action, index)

    def _enrol(self, action: ControlAction, _: int) -> None:
        self.coverage.enrol(action.subject, action.time.ToNanoseconds())

    def _turn(self, action: ControlAction, _: int) -> None:
        """A host is let in no more, or again."""
        self.coverage.host(action.subject).state = _STATES[action.kind]

    def _prove(self, action: ControlAction, _: int) -> None:
        version = action.fields.get("version", "")
        self.coverage.host(action.subject).policy = told(version)
        self.changes.prove(action.subject, version)

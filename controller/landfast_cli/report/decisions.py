"""Who decided what about the policy: changes and who approved them, and emergencies."""

from collections.abc import Iterator

from landfast.v1.audit_pb2 import ControlAction
from landfast_cli.report.ledgers import Ledger, Life, Step
from landfast_cli.report.period import Period
from landfast_cli.report.texts import told

_PROPOSED = ("version", "reason", "ticket", "digest", "widenings", "expires")
_ACCEPTED = ("digest", "map_digest", "reason", "ticket", "approvers", "stages", "at_once", "reviews")
_FOUND = ("rule", "about", "index", "what", "count", "reason")
_BROKEN = ("by", "reason", "ticket", "until", "rules")


class Changes:
    """Proposals, by their number. `proved` are the hosts that have proved a version, by version."""

    def __init__(self, period: Period) -> None:
        self._ledger, self._period = Ledger(period), period
        self._versions: dict[str, Life] = {}
        self.proved: dict[str, set[str]] = {}

    @property
    def lost(self) -> int:
        """Changes that are not told, since there were too many."""
        return self._ledger.lost

    def propose(self, action: ControlAction, index: int) -> None:
        texts = _none(_PROPOSED + _ACCEPTED) | _chosen(action, _PROPOSED)
        begun = [("proposed", Step.of(action, index))]
        self._ledger.begin(Life(action.subject, begun, texts, tuple(_widened(action))))

    def approve(self, action: ControlAction, index: int) -> None:
        self._ledger.step(action.subject, "approved", Step.of(action, index))

    def close(self, action: ControlAction, index: int) -> None:
        self._ledger.end(action.subject, told(action.text), Step.of(action, index))

    def accept(self, action: ControlAction, index: int) -> None:
        """A version ends the change that it comes from, and whatever else was proposed on top of the one before."""
        step, number = Step.of(action, index), action.fields.get("change", "")
        life = self._ledger.open.get(number) or self._ledger.begin(Life(number, [], _none(_PROPOSED + _ACCEPTED)))
        life.texts |= _chosen(action, _ACCEPTED) | {"version": told(action.subject)}
        self._ledger.end(number, "accepted", step)
        for other in list(self._ledger.open):
            self._ledger.end(other, f"overtaken by policy {told(action.subject)}", step)
        self._versions[action.subject] = life

    def roll_out(self, action: ControlAction, index: int) -> None:
        """How a version reaches the hosts."""
        if life := self._versions.get(action.subject):
            life.steps.append((told(action.text), Step.of(action, index)))

    def prove(self, host: str, version: str) -> None:
        """A host has proved that its kernel holds a version."""
        if version in self._versions:
            self.proved.setdefault(version, set()).add(host)

    def lives(self) -> Iterator[Life]:
        begin, end = self._period.texts
        for life in self._ledger.lives():
            expires = life.texts["expires"]
            if not life.ended and expires and expires <= end:
                life.outcome = f"expired {expires}"
            if life.ended or not expires or expires >= begin:
                yield life


class Emergencies:
    """Policies that somebody made alone, until others have reviewed them."""

    def __init__(self, period: Period) -> None:
        self.ledger = Ledger(period)

    def begin(self, action: ControlAction, index: int) -> None:
        texts = _none(_BROKEN) | _chosen(action, _BROKEN)
        self.ledger.begin(Life(action.subject, [("opened", Step.of(action, index))], texts, outcome="not reviewed"))

    def accept(self, action: ControlAction, index: int) -> None:
        """A version that reviews what was opened ends it."""
        if action.fields.get("reviews"):
            for number in list(self.ledger.open):
                self.ledger.end(number, f"reviewed with policy {told(action.subject)}", Step.of(action, index))


class Incidents:
    """By their number."""

    def __init__(self, period: Period) -> None:
        self.ledger = Ledger(period)

    def begin(self, action: ControlAction, index: int) -> None:
        texts = _none(_FOUND) | _chosen(action, _FOUND)
        self.ledger.begin(Life(action.subject, [("opened", Step.of(action, index))], texts))

    def acknowledge(self, action: ControlAction, index: int) -> None:
        if life := self.ledger.step(action.subject, "acknowledged", Step.of(action, index)):
            life.texts |= _chosen(action, ("count", "what"))
            life.outcome = "acknowledged"

    def close(self, action: ControlAction, index: int) -> None:
        if life := self.ledger.open.get(action.subject):
            life.texts |= _chosen(action, ("count", "what", "reason"))
        self.ledger.end(action.subject, "closed", Step.of(action, index))


def _none(names: tuple[str, ...]) -> dict[str, str]:
    return dict.fromkeys(names, "")


def _chosen(action: ControlAction, names: tuple[str, ...]) -> dict[str, str]:
    return {name: told(text) for name in names if (text := action.fields.get(name))}


def _widened(action: ControlAction) -> Iterator[str]:
    at = 1
    while text := action.fields.get(f"widening_{at}"):
        yield told(text)
        at += 1

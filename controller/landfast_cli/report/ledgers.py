"""What has a life: changes of the policy, incidents, emergencies. Told as it was at the end of the period.

A life that ended before the period is forgotten; one that goes on in it is told from its beginning.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from landfast.v1.audit_pb2 import ControlAction
from landfast_cli.report.bounds import Kept
from landfast_cli.report.period import Period
from landfast_cli.report.texts import who


@dataclass(frozen=True)
class Step:
    """Who did something, and when."""

    who: str
    at_ns: int
    index: int

    @classmethod
    def of(cls, action: ControlAction, index: int) -> "Step":
        return cls(who(action), action.time.ToNanoseconds(), index)


@dataclass
class Life:
    """`steps` are in order, the first one is its beginning. `outcome` is what it is at the end of the period."""

    number: str
    steps: list[tuple[str, Step]]
    texts: dict[str, str]
    notes: tuple[str, ...] = ()
    outcome: str = "open"
    ended: bool = False


@dataclass
class Ledger:
    """Lives by number. At most so many are open at a time; further ones are counted in `beyond`."""

    period: Period
    open: dict[str, Life] = field(default_factory=dict)
    closed: Kept[Life] = field(default_factory=Kept)
    beyond: int = 0

    @property
    def lost(self) -> int:
        """Lives that are not told, since there were too many."""
        return self.beyond + self.closed.beyond

    def begin(self, life: Life) -> Life:
        if len(self.open) < self.closed.most:
            self.open[life.number] = life
        else:
            self.beyond += 1
        return life

    def step(self, number: str, what: str, step: Step) -> Life | None:
        life = self.open.get(number)
        if life:
            life.steps.append((what, step))
        return life

    def end(self, number: str, outcome: str, step: Step) -> None:
        """Of what is not known here nothing ends."""
        if life := self.open.pop(number, None):
            life.outcome, life.ended = outcome, True
            life.steps.append((outcome, step))
            if step.at_ns in self.period:
                self.closed.add(life)

    def lives(self) -> Iterator[Life]:
        """Those that ended in the period, and those that went on after it; by when they began."""
        yield from sorted(
            [*self.closed.things, *self.open.values()], key=lambda life: (life.steps[0][1].index, life.number)
        )

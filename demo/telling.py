"""Running the steps of a story: progress while they run, the table of measured times at the end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from demo.setting import Setting


class BrokenPromiseError(Exception):
    """A step's check did not hold."""


@dataclass(frozen=True)
class Step:
    """What happens; `act` says in a few words what was seen, and raises when it is not what was promised."""

    title: str
    act: Callable[[Setting], str]


@dataclass(frozen=True)
class Outcome:
    title: str
    held: bool
    seconds: float
    seen: str


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenPromiseError(otherwise)


def tell(steps: Sequence[Step], setting: Setting, console: Console) -> list[Outcome]:
    """Outcomes of the steps; after one that did not hold, no further step is tried."""
    outcomes: list[Outcome] = []
    for step in steps:
        with console.status(step.title):
            outcomes.append(_run(step, setting))
        _say(outcomes[-1], console)
        if not outcomes[-1].held:
            break
    return outcomes


def _run(step: Step, setting: Setting) -> Outcome:
    started = time.monotonic()
    try:
        held, seen = True, step.act(setting)
    except Exception as error:
        held, seen = False, str(error) if isinstance(error, BrokenPromiseError) else f"{type(error).__name__}: {error}"
    return Outcome(step.title, held, time.monotonic() - started, seen)


def _say(outcome: Outcome, console: Console) -> None:
    mark = "[green]ok[/]  " if outcome.held else "[red]FAIL[/]"
    console.print(f"{mark} {escape(outcome.title)} [dim]({outcome.seconds:.1f} s)[/]")
    if outcome.seen:
        console.print(f"     [dim]{escape(outcome.seen)}[/]", soft_wrap=True)


def table(outcomes: Sequence[Outcome], planned: int) -> Table:
    """All steps with their times; the number of those that were not reached."""
    made = Table(title="Landfast demonstration", caption=_caption(outcomes, planned))
    made.add_column("step", ratio=3)
    made.add_column("time", justify="right", no_wrap=True)
    made.add_column("held")
    made.add_column("seen", ratio=3)
    for outcome in outcomes:
        held = "[green]yes[/]" if outcome.held else "[red]NO[/]"
        made.add_row(escape(outcome.title), f"{outcome.seconds:.2f} s", held, escape(outcome.seen.splitlines()[0]))
    return made


def _caption(outcomes: Sequence[Outcome], planned: int) -> str:
    held = sum(outcome.held for outcome in outcomes)
    return f"{held} of {planned} steps held, {sum(outcome.seconds for outcome in outcomes):.1f} s in all"

"""python -m demo [--keep | --down]: what `make demo` runs."""

import os
import signal
import sys

import click
from rich.console import Console

from demo import remains
from demo.ending import END, how_to_go_on
from demo.setting import Setting
from demo.story import STORY
from demo.telling import Outcome, table, tell
from tests.testbed.processes import end_on_sigterm


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running, and say how to use it.")
@click.option("--down", is_flag=True, help="Remove what --keep left running.")
def main(keep: bool, down: bool) -> None:
    """Tells the whole story in network namespaces of this machine, each step checked."""
    if os.geteuid() != 0:
        raise click.ClickException("must be root: sudo make demo")
    _remove_abandoned(with_kept=down)
    if not down:
        end_on_sigterm()
        sys.exit(_demonstrate(keep))


def _remove_abandoned(with_kept: bool) -> None:
    for pid in remains.abandoned(with_kept):
        for what in remains.remove(pid):
            click.echo(f"removed {what}")


def _demonstrate(keep: bool) -> int:
    """The exit status: 0 only if every step held."""
    console, setting = Console(highlight=False), Setting()
    steps = STORY if keep else [*STORY, END]
    kept = False
    try:
        outcomes = tell(steps, setting, console)
        console.print(table(outcomes, len(steps)))
        kept = keep and _all_held(outcomes, len(steps))
        if kept:
            print(how_to_go_on(setting))
        return 0 if _all_held(outcomes, len(steps)) else 1
    finally:
        if not kept:
            _take_down()


def _all_held(outcomes: list[Outcome], planned: int) -> bool:
    return len(outcomes) == planned and all(outcome.held for outcome in outcomes)


def _take_down() -> None:
    """Removes everything, and lets nobody interrupt that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    remains.remove(os.getpid())


if __name__ == "__main__":
    main()

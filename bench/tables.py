"""Results as tables, for a terminal and for a page of the documentation."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Rows = list[tuple[str, ...]]
Section = tuple[str, tuple[str, ...], Rows]  # title, header and rows of a table

_WIDTH = 140  # columns of the widest table


def show(facts: Mapping[str, Any], sections: Sequence[Section], disturbances: Sequence[str]) -> None:
    """Prints them, however narrow the terminal is: a torn table cannot be read."""
    console = Console(highlight=False, width=max(Console().width, _WIDTH))
    for name, value in facts.items():
        console.print(f"[dim]{name}: {value}[/]", soft_wrap=True)
    for title, header, rows in sections:
        console.print(_table(title, header, rows))
    for each in disturbances:
        console.print(f"[red]rejected[/]: {each}", soft_wrap=True)


def _table(title: str, header: Sequence[str], rows: Rows) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for column in header:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def markdown(introduction: str, facts: Mapping[str, Any], sections: Sequence[Section]) -> str:
    """A page that begins with `introduction`."""
    listed = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    return "\n".join([f"{introduction}\n{listed}\n", *(_section(*each) for each in sections)])


def _section(title: str, header: Sequence[str], rows: Rows) -> str:
    lines = [header, ("--",) * len(header), *rows]
    return f"## {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"

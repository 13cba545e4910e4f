"""Output for people (tables that fit the terminal, 200 columns elsewhere) and for programs (JSON)."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

#: Of tables that are not printed on a terminal: whoever reads them there can scroll, or searches for lines.
_WIDTH = 200

_LINES = 40  # of a list


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table; what does not fit goes on in the next line, in the last column first.

    Colours only on a terminal.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(*headings, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in made.columns:
        column.overflow = "fold"
        column.no_wrap = column is not made.columns[-1]
    for row in rows:
        made.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False).print(made)


def first(lines: Iterable[object], prefix: str = "") -> None:
    """Prints the first lines of a list, and how many there are besides."""
    found = list(map(str, lines))
    for line in found[:_LINES]:
        click.echo(f"  {prefix}{line}")
    if len(found) > _LINES:
        click.echo(f"  and {len(found) - _LINES} more")


def document(value: Any) -> None:
    """Prints one JSON value, indented."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Something beside the result, on standard error."""
    click.echo(f"landfast: {text}", err=True)


def time(stamp: "Timestamp") -> str:
    """`2026-11-23 14:02:07` in UTC; `-` when it is not set."""
    return stamp.ToDatetime().strftime("%Y-%m-%d %H:%M:%S") if stamp.ByteSize() else "-"


def short(identity: str) -> str:
    """`approver/alice`: an id without scheme and domain."""
    return identity.partition("//")[2].partition("/")[2]


def json_time(stamp: "Timestamp") -> str | None:
    """RFC 3339 in UTC; None when it is not set."""
    return stamp.ToJsonString() if stamp.ByteSize() else None


def reader_is_gone() -> None:
    """After a broken pipe (`| head`): nothing more is written, not even when Python closes the stream."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

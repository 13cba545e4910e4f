"""How the host's commands talk: class names, plain tables, durations, dates, sizes, and the demand to be root."""

import os
import shutil
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime

from landfast_agent.errors import BadInput, Unavailable

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MIB = 1 << 20
_NARROW = 11  # columns that no table cuts


def require_root() -> None:
    """Raises Unavailable for others: the kernel shows its maps to root only."""
    if os.geteuid() != 0:
        raise Unavailable("this needs root, since the kernel shows its maps to root only: run it with sudo")


def class_names(text: str) -> list[str]:
    """What --class says. Raises BadInput when it names nothing: no class would mean no restriction."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise BadInput("no data class was named: use --class NAME[,NAME]")
    return names


def duration(seconds: float) -> str:
    """`4 min`, `3 d`: the largest unit that fits."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def date(seconds: float) -> str:
    """`2026-11-24 00:31:02 UTC`, of seconds of CLOCK_REALTIME."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def size(count: int) -> str:
    """Bytes as MiB."""
    return f"{count / _MIB:.1f} MiB"


def paragraph(text: str, indent: int) -> str:
    """Wraps to the terminal; the lines after the first begin in column `indent`."""
    room = shutil.get_terminal_size((80, 24)).columns
    return textwrap.fill(text, room, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns; the widest are cut so that a line fits the terminal."""
    widths = [max(len(line[i]) for line in (heads, *rows)) for i in range(len(heads))]
    room = shutil.get_terminal_size((80, 24)).columns - 2 * (len(widths) - 1)
    while sum(widths) > room and max(widths) > _NARROW:
        widths[widths.index(max(widths))] -= 1
    return "\n".join(_line(line, widths) for line in (heads, *rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_cut(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"

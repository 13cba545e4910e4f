"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

File = click.Path(dir_okay=False, path_type=Path)


def as_json(command: F) -> F:
    """`--json`: the data for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def why(command: F) -> F:
    """`--reason`: why something is done; it goes into the log."""
    return click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")(command)


def reason(command: F) -> F:
    """`--reason` and `--ticket`: why a policy version came about."""
    command = click.option("--ticket", default="", metavar="ID", help="Where it was decided, e.g. NET-1412.")(command)
    return why(command)


def wait(command: F) -> F:
    """`--wait` and `--timeout`: until the hosts have proved the change."""
    seconds = click.FloatRange(min=0, min_open=True)
    command = click.option(
        "--timeout", type=seconds, default=60, show_default=True, metavar="S", help="Longest wait, in seconds."
    )(command)
    return click.option("--wait", is_flag=True, help="Until all connected hosts have proved it, or its rollout halts.")(
        command
    )


def at_once(command: F) -> F:
    """`--at-once`: without stages."""
    return click.option("--at-once", is_flag=True, help="If accepted: to all hosts now, without stages. Logged.")(
        command
    )


def out(command: F) -> F:
    """`--out`: where a new secret goes."""
    return click.option(
        "--out", type=File, required=True, help="New file for it, with its private key; only you can read it."
    )(command)


def lifetime(default: str) -> Callable[[F], F]:
    """`--lifetime`: how long a certificate is good for."""
    return click.option("--lifetime", metavar="DURATION", help=f"E.g. 90m, 4h, 30d. [default: {default}]")


def since(command: F) -> F:
    """`--since`: how much of the log is read."""
    return click.option(
        "--since",
        default="7d",
        show_default=True,
        metavar="WHERE",
        help="How long ago (12h), time (RFC 3339), or log index.",
    )(command)

"""A change of the policy, from the command line to the proof of the hosts."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from landfast.policy.errors import InvalidError
from landfast.v1.policy_pb2 import PolicyVersion
from landfast_cli import versions
from landfast_cli.errors import BadInputError
from landfast_cli.session import Session, session
from landfast_cli.versions import Edit
from landfast_cli.waiting import until_proved


@contextmanager
def understood() -> Iterator[None]:
    """Turns what policy refuses in a command line into errors for people."""
    try:
        yield
    except InvalidError as error:
        raise BadInputError(str(error)) from None


def carry_out(edit: Edit, why: tuple[str, str], wait: tuple[bool, float]) -> None:
    """Makes a change on top of the newest version. `why` is reason and ticket, `wait` whether and how long."""
    with session() as current, understood():
        conclude(current, versions.change(current, edit, *why), wait)


def conclude(current: Session, version: PolicyVersion, wait: tuple[bool, float]) -> None:
    """Says what was accepted, and waits for the hosts if that was asked for."""
    wanted, timeout = wait
    click.echo(f"policy {version.policy.version} accepted")
    if wanted:
        until_proved(current, version.policy.version, timeout)

"""A change of the policy, from the command line to the proof of the hosts."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from msgspec import to_builtins

from landfast.policy.errors import InvalidError
from landfast.policy.model import Policy
from landfast_cli import differences, output, versions
from landfast_cli.errors import BadInputError
from landfast_cli.session import Session, session
from landfast_cli.versions import Accepted, Edit
from landfast_cli.waiting import until_proved


@contextmanager
def understood() -> Iterator[None]:
    """Turns what policy refuses in a command line into errors for people."""
    try:
        yield
    except InvalidError as error:
        raise BadInputError(str(error)) from None


def carry_out(edit: Edit, why: tuple[str, str], wait: tuple[bool, float], as_json: bool) -> None:
    """Makes a change on top of the newest version. `why` is reason and ticket, `wait` whether and how long."""
    with session() as current, understood():
        conclude(current, versions.change(current, edit, *why), wait, as_json)


def nothing_to_do(newest: Policy, as_json: bool) -> None:
    """Says that a change would change nothing."""
    if as_json:
        output.document({"version": newest.version, "widens": []})
    else:
        click.echo(f"policy {newest.version} says the same already; nothing to do")


def conclude(current: Session, accepted: Accepted, wait: tuple[bool, float], as_json: bool) -> None:
    """Says what was accepted and whether it widens, and waits for the hosts if that was asked for."""
    wanted, timeout = wait
    version = accepted.version.policy.version
    if as_json:
        widens = [to_builtins(each) for each in accepted.widened]
        output.document(versions.document(accepted.version) | {"widens": widens})
    else:
        click.echo(f"policy {version} accepted; it {differences.told(accepted.widened)}")
    if wanted:
        until_proved(current, version, timeout)

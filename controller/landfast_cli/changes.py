"""A change of the policy, from the command line to the proof of the hosts."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from msgspec import to_builtins

from landfast.policy.errors import InvalidError
from landfast.policy.model import Policy
from landfast_cli import differences, output, queue, rollouts, roots, versions
from landfast_cli.errors import BadInputError
from landfast_cli.session import Session, session
from landfast_cli.versions import Edit, Outcome
from landfast_cli.waiting import until_accepted, until_done


@contextmanager
def understood() -> Iterator[None]:
    """Turns what policy refuses in a command line into errors for people."""
    try:
        yield
    except InvalidError as error:
        raise BadInputError(str(error)) from None


def carry_out(edit: Edit, why: tuple[str, str], wait: tuple[bool, float], *, at_once: bool, as_json: bool) -> None:
    """Makes a change on top of the newest version. `why` is reason and ticket, `wait` whether and how long."""
    with session() as current, understood():
        conclude(current, versions.change(current, edit, why, at_once=at_once), wait, as_json)


def nothing_to_do(newest: Policy, as_json: bool) -> None:
    """Says that a change would change nothing."""
    if as_json:
        output.document({"version": newest.version, "widens": []})
    else:
        click.echo(f"policy {newest.version} says the same already; nothing to do")


def conclude(current: Session, made: Outcome, wait: tuple[bool, float], as_json: bool) -> None:
    """Says what was accepted, or who still has to approve; and waits for them and the hosts if that was asked for."""
    wanted, timeout = wait
    deadline, change, accepted = time.monotonic() + timeout, made.answer.change, made.answer.HasField("policy_version")
    if as_json:
        found = versions.document(made.answer.policy_version) if accepted else queue.document(change)
        output.document(found | {"widens": [to_builtins(each) for each in made.widened]})
    else:
        click.echo(_told(current, made))
    if wanted and not accepted:
        until_accepted(current, change.id, timeout)
    if wanted:
        until_done(current, change.version, max(deadline - time.monotonic(), 1.0))


def _told(current: Session, made: Outcome) -> str:
    change = made.answer.change
    wider = differences.told(made.widened, is_first=change.version == 1)
    if made.answer.HasField("policy_version"):
        return f"policy {change.version} accepted{rollouts.announced(current)}; it {wider}"
    approve = f"landfast change approve {change.id}{' --at-once' if made.at_once else ''}"
    who = queue.waiting(queue.fetch(current, change.id), roots.rules(current))
    remedy = f"landfast change show {change.id}, then {approve}"
    return f"change {change.id} (policy {change.version}) waits for {who}: {remedy}\nit {wider}"

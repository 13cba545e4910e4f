"""`landfast change`: what waits for approval."""

from typing import TYPE_CHECKING, Any

import click

from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import at_once as at_once_option
from landfast_cli.commands.options import since as since_option
from landfast_cli.commands.options import wait as wait_option

if TYPE_CHECKING:
    from landfast.policy.model import Policy
    from landfast.v1.policy_pb2 import Change
    from landfast_cli.session import Session
    from landfast_cli.versions import Head


@click.group(
    epilog="""\b
Examples:
  landfast change list
  landfast change show 7
  landfast change approve 7 --wait
  landfast change reject 7 --reason "10.0.0.0/8 is far too wide"
"""
)
def change() -> None:
    """Proposed versions of the policy, and who still has to approve them."""


@change.command(
    "list",
    epilog="""\b
Examples:
  landfast change list
  landfast change list --all --json
""",
)
@click.option(
    "--all", "ended", is_flag=True, help="Also those that were accepted, rejected, withdrawn or have expired."
)
@as_json_option
def list_changes(ended: bool, as_json: bool) -> None:
    """Open changes, newest first, and who still has to approve them."""
    from landfast_cli import output, queue, roots
    from landfast_cli.session import session

    with session() as current:
        found = queue.listed(current, ended=ended)
        if as_json:
            output.document([queue.document(each) for each in found])
        else:
            output.table(queue.HEADINGS, queue.rows(current, found, roots.rules(current)))


@change.command(
    epilog="""\b
Examples:
  landfast change show 7
  landfast change show 7 --impact --since 30d
  landfast change show 7 --json
"""
)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--impact", "with_impact", is_flag=True, help="Replay what hosts recorded: see `landfast simulate`.")
@since_option
@as_json_option
def show(number: int, with_impact: bool, since: str, as_json: bool) -> None:
    """A change: who wants it and why, what differs, what gets wider, what a reviewer should look at twice, and who
    still has to approve."""
    from landfast.v1.policy_pb2 import Change
    from landfast_cli import impact, output, queue, roots
    from landfast_cli.session import session

    with session() as current:
        found = queue.fetch(current, number)
        if as_json:
            output.document(_document(current, found, since if with_impact else None))
            return
        click.echo("\n".join(queue.description(found, roots.rules(current))))
        if found.state == Change.STATE_OPEN:
            _, policy, before = queue.checked(current, found)
            _print_differences(before, policy)
            if with_impact:
                impact.show(impact.replayed(current, policy.draft(), since))


def _document(current: "Session", found: "Change", since: str | None) -> dict[str, Any]:
    """While it is open with what a reviewer should look at, and with its impact if `since` is given."""
    from msgspec import to_builtins

    from landfast.v1.policy_pb2 import Change
    from landfast_cli import impact, queue, remarks

    document = queue.document(found)
    if found.state == Change.STATE_OPEN:
        _, policy, before = queue.checked(current, found)
        document["warnings"] = [to_builtins(each) for each in remarks.new(policy, before.policy)]
        if since is not None:
            document["impact"] = impact.replayed_document(impact.replayed(current, policy.draft(), since))
    return document


def _print_differences(before: "Head", policy: "Policy") -> None:
    """Computed from the bytes that a signature would approve: the controller is not asked."""
    from landfast_cli import differences, output, remarks

    if before.ground.broken:
        click.echo(f"  it reviews version {policy.version - 1}, in which {before.ground.broken.by} broke the glass")
    output.first(differences.coloured(differences.between(before.policy, policy.draft())))
    output.first(remarks.new(policy, before.policy), "warning: ")
    widened = differences.widened(before.ground.policy, policy.draft())
    click.echo(f"it {differences.told(widened, is_first=before.policy is None)}")


@change.command(
    epilog="""\b
Examples:
  landfast change approve 7
  landfast change approve 7 --key ~/alice.key --wait
  landfast change approve 7 --key 'pkcs11:token=alice;id=%02?module-path=/usr/lib/x86_64-linux-gnu/libykcs11.so'
"""
)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--key", metavar="KEY", help="A file, or a PKCS#11 URI. [default: the one given to `landfast login`]")
@at_once_option
@wait_option
@as_json_option
def approve(*, number: int, key: str | None, at_once: bool, wait: bool, timeout: float, as_json: bool) -> None:
    """Sign a change, which is shown first. The signature is good for exactly this, on top of exactly what is there."""
    from landfast.v1.policy_pb2 import ApproveChangeRequest
    from landfast_cli import changes, differences, output, queue, roots, signing
    from landfast_cli.session import PROPOSAL_TIMEOUT_S, session
    from landfast_cli.versions import Outcome

    with session() as current:
        found = queue.fetch(current, number)
        draft, policy, before = queue.checked(current, found)
        rules = roots.rules(current)
        if not as_json:
            click.echo("\n".join(queue.description(found, rules)))
            _print_differences(before, policy)
        signature = signing.sign(draft, signing.load(key or current.login.signing_key()))
        request = ApproveChangeRequest(
            id=number, key_id=signature.keyid, signature=signature.signature, at_once=at_once
        )
        answer = current.policies.ApproveChange(request, timeout=PROPOSAL_TIMEOUT_S)
        if rules.groups and queue.proposer(found) == current.name:
            output.note("you have proposed this: your approval does not count")
        outcome = Outcome(answer, differences.widened(before.ground.policy, policy.draft()), at_once)
        changes.conclude(current, outcome, (wait, timeout), as_json)


@change.command(
    epilog="""\b
Examples:
  landfast change reject 7 --reason "10.0.0.0/8 is far too wide"
"""
)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")
def reject(number: int, reason: str) -> None:
    """End somebody's change. Only approvers can; what was accepted is taken back by `landfast policy rollback`."""
    _close(number, reason)


@change.command(
    epilog="""\b
Examples:
  landfast change withdraw 7 --reason "the wrong hall"
"""
)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line.")
def withdraw(number: int, reason: str) -> None:
    """Take back a change of your own that is still open."""
    _close(number, reason)


def _close(number: int, reason: str) -> None:
    from landfast.v1.policy_pb2 import CloseChangeRequest
    from landfast_cli import queue
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        request = CloseChangeRequest(id=number, reason=reason)
        closed = current.policies.CloseChange(request, timeout=TIMEOUT_S).change
    click.echo(f"change {number} is {queue.state(closed)}")

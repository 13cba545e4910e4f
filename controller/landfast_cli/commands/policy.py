"""`landfast policy`: the whole policy, as a file and in its versions."""

from pathlib import Path

import click

from landfast_cli.commands.options import File
from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import at_once as at_once_option
from landfast_cli.commands.options import reason as reason_option
from landfast_cli.commands.options import wait as wait_option
from landfast_cli.commands.suggest import suggest


@click.group(
    epilog="""\b
Examples:
  landfast policy show > policy.yaml
  landfast policy diff policy.yaml
  landfast policy apply policy.yaml --reason "second hall" --wait
  landfast policy suggest eea-user-data --out draft.yaml
"""
)
def policy() -> None:
    """The policy: classes, selectors and allowlists, in numbered versions."""


@policy.command(
    epilog="""\b
Examples:
  landfast policy validate policy.yaml
  landfast policy validate policy.yaml --json
"""
)
@click.argument("file", type=File)
@as_json_option
def validate(file: Path, as_json: bool) -> None:
    """Check a policy file, without a controller. Each finding tells file, line and remedy.

    Warnings are about what is valid, and worth a second look: rules that are wide, needless, soon over, or about
    special-purpose addresses.
    """
    from landfast_cli import files, output, remarks

    source = files.read(file)
    classes = source.draft.classes
    found = remarks.of(source)
    if not as_json:
        remarks.warn(source, found)
    files.compiled(source.draft)
    rules = sum(len(each.allow) + len(each.serve) + len(each.peers) + len(each.unix_peers) for each in classes)
    if as_json:
        warnings = remarks.documents(source, found)
        output.document({"data_classes": len(classes), "rules": rules, "warnings": warnings})
    else:
        click.echo(f"{file} is valid: {len(classes)} data classes, {rules} rules")


@policy.command(
    epilog="""\b
Examples:
  landfast policy show
  landfast policy show --version 6 > before.yaml
  landfast policy show --json
"""
)
@click.option("--version", type=click.IntRange(min=1), help="[default: the newest]")
@as_json_option
def show(version: int | None, as_json: bool) -> None:
    """A version of the policy, as a file that `apply` takes."""
    from landfast_cli import files, output, versions
    from landfast_cli.session import session

    with session() as current:
        found = versions.fetch(current, version or 0)
    if as_json:
        output.document(versions.document(found) | {"policy": files.plain(found)})
    else:
        click.echo(files.text(found), nl=False)


@policy.command(
    epilog="""\b
Examples:
  landfast policy diff policy.yaml
  landfast policy diff policy.yaml --json
"""
)
@click.argument("file", type=File)
@as_json_option
def diff(file: Path, as_json: bool) -> None:
    """What `apply FILE` would change in the newest version, and whether that lets out more.

    Warnings of `validate` that apply to the newest version already are left out.
    """
    import msgspec

    from landfast_cli import differences, files, output, remarks, versions
    from landfast_cli.session import session

    source = files.read(file)
    with session() as current:
        before = versions.head(current)
    found = differences.between(before.policy, source.draft)
    widened = differences.widened(before.ground.policy, source.draft)
    remarked = remarks.of(source, before.policy)
    if as_json:
        warnings = remarks.documents(source, remarked)
        output.document(msgspec.to_builtins({"changes": found, "widens": widened, "warnings": warnings}))
        return
    remarks.warn(source, remarked)
    if found:
        told = differences.told(widened, is_first=before.policy is None)
        click.echo("\n".join([*differences.coloured(found), told]))
    else:
        click.echo("no difference")


@policy.command(
    epilog="""\b
Examples:
  landfast policy apply policy.yaml --reason "second hall" --ticket NET-1412
  landfast policy apply policy.yaml --reason "second hall" --wait --timeout 120
"""
)
@click.argument("file", type=File)
@reason_option
@at_once_option
@wait_option
@as_json_option
def apply(*, file: Path, reason: str, ticket: str, at_once: bool, wait: bool, timeout: float, as_json: bool) -> None:
    """Make a file the next version of the policy. What is not in the file is taken away.

    Once accepted it reaches the hosts in the controller's stages: `landfast rollout status`.
    """
    from landfast_cli import changes, differences, files, remarks, versions
    from landfast_cli.session import session

    source = files.read(file)
    remarks.warn(source, [])
    with session() as current:
        before = versions.head(current)
        if before.policy and not differences.between(before.policy, source.draft):
            changes.nothing_to_do(before.policy, as_json)
            return
        accepted = versions.propose(current, source.draft, before, (reason, ticket), at_once=at_once)
        changes.conclude(current, accepted, (wait, timeout), as_json)


@policy.command(
    epilog="""\b
Examples:
  landfast policy history
  landfast policy history --limit 5 --json
"""
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many versions.")
@as_json_option
def history(limit: int, as_json: bool) -> None:
    """The versions, newest first: who, when and why."""
    from landfast_cli import output, versions
    from landfast_cli.session import session

    with session() as current:
        found = list(versions.history(current, limit))
    if as_json:
        output.document([versions.document(version) for version in found])
    else:
        output.table(versions.HEADINGS, map(versions.row, found))


@policy.command(
    epilog="""\b
Examples:
  landfast policy rollback 6 --reason "version 7 cut off the resolver" --wait
  landfast policy rollback 6 --reason "no hurry" --staged
"""
)
@click.argument("version", type=click.IntRange(min=1))
@reason_option
@click.option("--at-once/--staged", default=True, show_default=True, help="To all hosts now, or in stages.")
@wait_option
@as_json_option
def rollback(
    *, version: int, reason: str, ticket: str, at_once: bool, wait: bool, timeout: float, as_json: bool
) -> None:
    """Make the contents of an old VERSION the next one. Rules that have expired since are left out."""
    from landfast_cli import changes, versions
    from landfast_cli.expired import without_expired
    from landfast_cli.session import session

    with session() as current:
        old = versions.decoded(versions.fetch(current, version))
        made = versions.change(current, lambda _: without_expired(old.draft()), (reason, ticket), at_once=at_once)
        changes.conclude(current, made, (wait, timeout), as_json)


policy.add_command(suggest)

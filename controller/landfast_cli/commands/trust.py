"""`landfast trust`: whose keys are whose, and which approvals a change takes."""

from pathlib import Path

import click

from landfast_cli.commands.options import File
from landfast_cli.commands.options import as_json as as_json_option


@click.group(
    epilog="""\b
Examples:
  landfast trust show
  landfast trust draft --approver alice=5c1f... --group sre=alice,bob --group privacy=carol \\
      --widening sre=1,privacy=1 --narrowing sre=1 --out 2.root.json
  landfast trust sign 2.root.json --key root-1.key
  landfast trust publish 2.root.json
"""
)
def trust() -> None:
    """Root metadata: whose keys are whose, and which approvals a change of the policy takes."""


@trust.command(
    epilog="""\b
Examples:
  landfast trust show
  landfast trust show --json
"""
)
@as_json_option
def show(as_json: bool) -> None:
    """The root that you believe, carried on to the newest that follows from it."""
    from landfast_cli import ceremony, output, roots
    from landfast_cli.session import session

    with session() as current:
        root = roots.newest(current, _config())
    found = ceremony.document(root)
    if as_json:
        output.document(found)
    else:
        click.echo("\n".join(ceremony.description(found)))


@trust.command(
    epilog="""\b
Each option replaces what the newest root says of that approver or group; what is not named stays.

\b
Examples:
  landfast trust draft --approver alice=5c1f... --out 2.root.json
  landfast trust draft --group sre=alice,bob --group privacy=carol --widening sre=1,privacy=1 \\
      --narrowing sre=1 --out 3.root.json
  landfast trust draft --remove-approver bob --out 4.root.json
  landfast trust draft --break-glass olga=88b2... --out 5.root.json
"""
)
@click.option(
    "--approver", "approvers", multiple=True, metavar="NAME=KEY", help="A public key, as `landfast key` prints it."
)
@click.option("--remove-approver", "removed", multiple=True, metavar="NAME", help="Takes all keys of somebody away.")
@click.option(
    "--break-glass", "breakers", multiple=True, metavar="NAME=KEY", help="A public key to break the glass with."
)
@click.option("--remove-break-glass", "removed_breakers", multiple=True, metavar="NAME", help="Takes these keys away.")
@click.option("--group", "groups", multiple=True, metavar="GROUP=NAME,...", help="Its members; none removes the group.")
@click.option("--widening", metavar="GROUP=N,...", help="How many of each group approve what widens.")
@click.option("--narrowing", metavar="GROUP=N,...", help="How many of each group approve what only narrows.")
@click.option(
    "--root-key", "replaced", multiple=True, metavar="OLD=NEW", help="A public key of root in place of another."
)
@click.option("--out", type=File, required=True, help="New file for it, to be signed.")
def draft(
    *,
    approvers: tuple[str, ...],
    removed: tuple[str, ...],
    breakers: tuple[str, ...],
    removed_breakers: tuple[str, ...],
    groups: tuple[str, ...],
    widening: str | None,
    narrowing: str | None,
    replaced: tuple[str, ...],
    out: Path,
) -> None:
    """Write the next root, to be signed by holders of root keys and, where it changes who approves, by approvers."""
    from landfast_cli import ceremony, roots
    from landfast_cli.session import session

    wanted = ceremony.Wanted(approvers, removed, breakers, removed_breakers, groups, widening, narrowing, replaced)
    with session() as current:
        before = roots.parsed(roots.newest(current, _config()))
    made = ceremony.following(before, wanted)
    ceremony.write_new(out, made)
    click.echo(f"root {made.signed.version}: {out}; it takes {ceremony.needed(before, made)}")
    click.echo(f"next, each of them: landfast trust sign {out} --key FILE; then: landfast trust publish {out}")


@trust.command(
    epilog="""\b
Needs no controller: it works where the keys are.

\b
Examples:
  landfast trust sign 2.root.json --key root-1.key
  landfast trust sign 2.root.json --key alice.key
"""
)
@click.argument("file", type=File)
@click.option("--key", required=True, metavar="KEY", help="Of root, or an approver's: a file, or a PKCS#11 URI.")
def sign(file: Path, key: str) -> None:
    """Show root metadata, and add a signature to the file."""
    from landfast_cli import ceremony, signing

    made = ceremony.read(file)
    click.echo("\n".join(ceremony.description(ceremony.document(made.to_bytes()))))
    signing.sign(made, signing.load(key))
    ceremony.rewrite(file, made)
    click.echo(f"signed; {file} has the signatures of {ceremony.signers(made)}")


@trust.command(
    epilog="""\b
Examples:
  landfast trust publish 2.root.json
"""
)
@click.argument("file", type=File)
def publish(file: Path) -> None:
    """Make a signed root the newest. Hosts follow it with the next policy. Only approvers can."""
    from landfast.v1.policy_pb2 import PublishRootRequest
    from landfast_cli import ceremony, roots
    from landfast_cli.session import TIMEOUT_S, session

    content = ceremony.read(file).to_bytes()
    with session() as current:
        version = current.policies.PublishRoot(PublishRootRequest(root=content), timeout=TIMEOUT_S).version
        roots.newest(current, _config())
    click.echo(f"root {version} is in force")


def _config() -> Path:
    path: Path = click.get_current_context().find_root().params["config"]
    return path

"""`landfast simulate`: what a policy file would have changed."""

from pathlib import Path

import click

from landfast_cli.commands.options import File, since
from landfast_cli.commands.options import as_json as as_json_option


@click.command(
    epilog="""\b
Every decision that the fleet recorded since then is made again by FILE, as of
now: rules that have expired allow nothing. Classes are compared by name.

\b
Exit status: 0 nothing would be newly denied, 1 something would,
2 FILE is refused, 3 the log cannot be read.

\b
Examples:
  landfast simulate policy.yaml
  landfast simulate policy.yaml --since 30d
  landfast simulate policy.yaml --json | jq '.newly_denied[] | [.remote, .port, .count]'
"""
)
@click.argument("file", type=File)
@since
@as_json_option
def simulate(file: Path, since: str, as_json: bool) -> None:
    """Replay what the hosts recorded against FILE: what it would newly deny, and newly allow.

    By class, destination, process and host, with the number of decisions. A
    connection is two decisions or more: when it is made, and its packets.
    """
    import sys

    from landfast_cli import files, impact, output
    from landfast_cli.session import session

    draft = files.read(file).draft
    with session() as current:
        found = impact.replayed(current, draft, since)
    if as_json:
        output.document(impact.replayed_document(found))
    else:
        impact.show(found)
    if found.impact.denies:
        sys.exit(1)

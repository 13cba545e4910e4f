"""`landfast policy suggest`: an allowlist from what was seen."""

from pathlib import Path

import click

from landfast_cli.commands.options import File, since


@click.command(
    epilog="""\b
A class in audit mode records what it would deny: let it run, then ask for the
allowlist that it needs. The result covers the flows that were seen, allowed or
not, and nothing else. It is a draft for people: each rule tells who was seen,
and its reason waits for a better one.

\b
Examples:
  landfast policy suggest eea-user-data
  landfast policy suggest eea-user-data --since 30d --out draft.yaml
  landfast policy validate draft.yaml && landfast simulate draft.yaml
"""
)
@click.argument("data_class", metavar="CLASS")
@since
@click.option("--out", type=File, metavar="F", help="New file for it. [default: standard output]")
def suggest(data_class: str, since: str, out: Path | None) -> None:
    """Write the smallest allowlist that covers what CLASS was seen to do."""
    import time

    from landfast.flows import MOST, Omitted
    from landfast_cli import drafting, files, following, recorded
    from landfast_cli.session import session

    request = following.request(since, False, time.time())
    request.classes.append(data_class)
    omitted = Omitted()
    with session() as current:
        learned = drafting.learn(current, data_class, recorded.read(current, request, omitted))
    text = drafting.text(learned)
    files.write_new(out, text) if out else click.echo(text, nl=False)
    recorded.note_omitted(omitted)
    recorded.note_beyond(learned.flows.beyond, MOST)

"""`landfast login`."""

from pathlib import Path

import click

from landfast_cli.commands.options import File


@click.command(
    epilog="""\b
Examples:
  landfast login --controller controller.example.net:7443 --identity ~/alice.pem
  LANDFAST_CONFIG=./auditor.toml landfast login --controller 192.0.2.10:7443 --identity vera.pem
"""
)
@click.option("--controller", required=True, metavar="HOST:PORT", help="Address of the controller.")
@click.option("--identity", type=File, required=True, metavar="F", help="Identity file that an approver gave you.")
@click.pass_context
def login(context: click.Context, controller: str, identity: Path) -> None:
    """Try an identity at a controller, and remember both."""
    from landfast.identity import Bundle, certificate_of, spiffe_id_of
    from landfast_cli import config
    from landfast_cli.greeting import greet
    from landfast_cli.session import opened

    chosen = config.Login(controller, str(identity.absolute()))
    with opened(chosen) as session:
        greet(session)
    path = context.find_root().params["config"]
    config.write(path, chosen)
    click.echo(f"logged in at {controller} as {spiffe_id_of(certificate_of(Bundle.read(identity)))}")
    click.echo(f"remembered in {path}")

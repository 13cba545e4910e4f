"""`landfast login`."""

from pathlib import Path

import click

from landfast_cli.commands.options import File


@click.command(
    epilog="""\b
Examples:
  landfast login --controller controller.example.net:7443 --identity ~/alice.pem
  landfast login --controller 192.0.2.10:7443 --identity alice.pem --key alice.key --root 1.root.json
  landfast login --controller 192.0.2.10:7443 --identity alice.pem --key 'pkcs11:token=alice;id=%02'
  LANDFAST_CONFIG=./auditor.toml landfast login --controller 192.0.2.10:7443 --identity vera.pem
"""
)
@click.option("--controller", required=True, metavar="HOST:PORT", help="Address of the controller.")
@click.option("--identity", type=File, required=True, metavar="F", help="Identity file that an approver gave you.")
@click.option("--key", metavar="KEY", help="Your signing key, if you approve changes: a file, or a PKCS#11 URI.")
@click.option("--root", type=File, metavar="F", help="Root metadata to believe. [default: what the controller tells]")
@click.pass_context
def login(context: click.Context, controller: str, identity: Path, key: str | None, root: Path | None) -> None:
    """Try an identity at a controller, and remember both."""
    from landfast.identity import Bundle, certificate_of, spiffe_id_of, write_private
    from landfast.trust import metadata
    from landfast_cli import config, log_keys, roots, signing
    from landfast_cli.greeting import greet
    from landfast_cli.session import opened

    chosen = config.Login(controller, str(identity.absolute()), signing.absolute(key) if key else "")
    with opened(chosen) as session:
        greet(session)
        believed = roots.begin(session, root)
        log_key = log_keys.told(session)
    path = context.find_root().params["config"]
    config.write(path, chosen)
    write_private(roots.path_beside(path), believed)
    log_keys.remember(path, log_key)
    click.echo(f"logged in at {controller} as {spiffe_id_of(certificate_of(Bundle.read(identity)))}")
    click.echo(f"root metadata: {metadata.fingerprint(believed)}")
    click.echo(f"log key: {log_key} (told by the controller: compare it with the one that its people gave you)")
    click.echo(f"remembered in {path}")

"""`landfast-controller`: makes a deployment and serves it."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from landfast_controller.errors import BadInputError, ControllerError

if TYPE_CHECKING:
    from landfast_controller.config import Config

_EXAMPLES = """\b
Examples:
  landfast-controller init --dir /var/lib/landfast-controller --address controller.example.net
  landfast-controller serve --dir /var/lib/landfast-controller
"""

_Directory = click.Path(file_okay=False, path_type=Path)


@click.group(epilog=_EXAMPLES, context_settings={"max_content_width": 100})
def commands() -> None:
    """Distributes allowlists to enclave hosts, and keeps the log of what they did."""


@commands.command(
    epilog="""\b
Examples:
  landfast-controller init --dir ./deployment
  landfast-controller init --dir /var/lib/landfast-controller --domain eu.example.net \\
      --address controller.example.net --address 192.0.2.10
"""
)
@click.option("--dir", "directory", type=_Directory, required=True, help="New or empty directory for all of it.")
@click.option("--domain", default="landfast.internal", show_default=True, help="SPIFFE trust domain.")
@click.option("--address", "addresses", multiple=True, help="Name or IP address that clients may know it by.")
def init(directory: Path, domain: str, addresses: tuple[str, ...]) -> None:
    """Make the certificate authority, the database, the first approver's identity and the keys of root."""
    from landfast.identity import IdentityError, check_domain
    from landfast.trust import metadata
    from landfast_controller.initialise import FIRST_APPROVER, FIRST_KEY, OFFLINE, ROOT, initialise
    from landfast_controller.log_key import PUBLIC

    try:
        check_domain(domain)
    except IdentityError as error:
        raise BadInputError(str(error)) from None
    initialise(directory, domain, ["localhost", "127.0.0.1", "::1", *addresses])
    click.echo(f"deployment of {domain} made in {directory}")
    click.echo(f"first approver: {directory / FIRST_APPROVER}, and the key that signs: {directory / FIRST_KEY}")
    click.echo(f"root keys: {directory / OFFLINE} (two of the three change who approves: give them to three people)")
    root = metadata.fingerprint((directory / ROOT).read_bytes())
    click.echo(f"root metadata: {directory / ROOT}, fingerprint {root} (public: whose keys are whose)")
    click.echo(f"log key: {(directory / PUBLIC).read_text().strip()} (public: auditors check the log by it)")
    click.echo("move all secrets off this machine before you trust it with anything; the controller needs none of them")
    click.echo(f"next: landfast-controller serve --dir {directory}")


@commands.command(
    epilog="""\b
Examples:
  landfast-controller serve --config /etc/landfast/controller.toml
  landfast-controller serve --dir ./deployment --listen 127.0.0.1:7443
"""
)
@click.option("--config", "file", type=click.Path(dir_okay=False, path_type=Path), help="Configuration file (TOML).")
@click.option("--dir", "directory", type=_Directory, help="Directory that `init` made; instead of --config.")
@click.option("--listen", help="Address and port; port 0 takes a free one.")
def serve(file: Path | None, directory: Path | None, listen: str | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    from msgspec.structs import replace

    from landfast_controller import config, logs

    if (file is None) == (directory is None):
        raise BadInputError("serve: give either --config or --dir")
    settings = config.read(file) if file else config.Config(directory or Path())
    logs.configure()
    asyncio.run(_serve(replace(settings, listen=listen) if listen else settings))


async def _serve(settings: "Config") -> None:
    from landfast_controller.readiness import tell_ready
    from landfast_controller.server import running

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(settings) as port:
        click.echo(f"listening on port {port}")
        sys.stdout.flush()
        tell_ready()
        await stop.wait()


def main() -> None:
    """Entry point: what a person can act on is told in one line, without a traceback."""
    try:
        commands(prog_name="landfast-controller", standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except ControllerError as error:
        click.echo(f"landfast-controller: {error}", err=True)
        sys.exit(error.status)


if __name__ == "__main__":
    main()

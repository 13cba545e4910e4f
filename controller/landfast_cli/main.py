"""`landfast`: what operators, approvers and auditors type."""

import os
import sys
from pathlib import Path

import click

from landfast_cli.commands.allow import allow
from landfast_cli.commands.audit import audit
from landfast_cli.commands.break_glass import break_glass
from landfast_cli.commands.change import change
from landfast_cli.commands.events import events
from landfast_cli.commands.fleet import fleet
from landfast_cli.commands.identity import identity
from landfast_cli.commands.incidents import incidents
from landfast_cli.commands.key import key
from landfast_cli.commands.login import login
from landfast_cli.commands.policy import policy
from landfast_cli.commands.rollout import rollout
from landfast_cli.commands.shadow import shadow
from landfast_cli.commands.simulate import simulate
from landfast_cli.commands.trust import trust
from landfast_cli.errors import CliError


def _default_config() -> Path:
    from landfast_cli.config import default_path

    return default_path()


@click.group(
    epilog="""\b
Examples:
  landfast login --controller controller.example.net:7443 --identity ~/alice.pem
  landfast allow add eea-user-data 192.0.2.0/25 tcp/443 --reason failover --wait
  landfast fleet list
  landfast events follow --verdict denied
""",
    context_settings={"max_content_width": 100},
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_default_config,
    show_default="~/.config/landfast/config.toml",
    help="Who I am and which controller I talk to; also LANDFAST_CONFIG.",
)
@click.option(
    "--passphrase-fd",
    type=click.IntRange(min=0),
    metavar="N",
    help="Read passphrases and PINs from this file descriptor, a line for each question.",
)
@click.version_option(package_name="landfast")
def commands(config: Path, passphrase_fd: int | None) -> None:
    """Keep tagged user data inside the enclave: allowlists, hosts, identities, events.

    Exit status: 0 done, 1 the answer is no, 2 usage or bad input, 3 could not.
    """


_POLICIES = (login, allow, policy, simulate, shadow, change, rollout, break_glass)
for command in (*_POLICIES, fleet, identity, key, trust, events, incidents, audit):
    commands.add_command(command)


def main() -> None:
    """Entry point: what a person can act on is told in one line, without a traceback."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what the library says of a broken connection, we say ourselves
    try:
        commands(prog_name="landfast", standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        _reader_is_gone()
    except CliError as error:
        click.echo(f"landfast: {error}", err=True)
        sys.exit(error.status)


def _reader_is_gone() -> None:
    from landfast_cli.output import reader_is_gone

    reader_is_gone()


if __name__ == "__main__":
    main()

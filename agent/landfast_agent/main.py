"""`landfast-agent`: the host's command line. Commands are imported when they are called, so that each starts fast."""

import importlib
import sys
from typing import Any

import click

from landfast_agent.errors import AgentError
from landfast_agent.instance import Instance

_COMMANDS = {
    "run": "run",
    "exec": "exec_",
    "tag": "tag",
    "ps": "ps",
    "status": "status",
    "doctor": "doctor",
    "explain": "explain",
    "events": "events",
    "enroll": "enroll",
    "unload": "unload",
}


class _Commands(click.Group):
    """Finds a command in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's interface
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"landfast_agent.commands.{_COMMANDS[cmd_name]}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            known = ", ".join(_COMMANDS)
            raise click.UsageError(f"{error.message.rstrip('.')}: the commands are {known}", ctx) from error


def _instance(_ctx: click.Context, _parameter: click.Parameter, value: str) -> Instance:
    try:
        return Instance(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--instance",
    default="default",
    show_default=True,
    metavar="NAME",
    callback=_instance,
    help="Keep pins, sockets and state apart under this name.",
)
@click.version_option(package_name="landfast")
@click.pass_context
def cli(context: click.Context, instance: Instance) -> None:
    """Keeps tagged user data inside the enclave: the agent of this host.

    \b
    Examples:
      landfast-agent doctor
      landfast-agent run --policy policy.yaml
      landfast-agent exec --class eea-user-data -- curl https://10.20.0.5/
      landfast-agent status
    """
    context.obj = instance


def main() -> None:
    """Runs a command; errors become one message and the documented exit status."""
    try:
        sys.exit(cli(standalone_mode=False))
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except AgentError as error:
        click.echo(f"landfast-agent: {error}", err=True)
        sys.exit(error.status)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)

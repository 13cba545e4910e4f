"""`landfast-agent enroll`: joins a deployment."""

from pathlib import Path

import click

from landfast_agent import enrol, event_key
from landfast_agent.instance import Instance
from landfast_agent.words import require_root


@click.command("enroll", short_help="Join a deployment with a one-time token.")
@click.option("--controller", required=True, metavar="HOST:PORT", help="The controller's address.")
@click.option(
    "--token-file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="F",
    help="From `landfast fleet token create`; carries the authority that the controller is checked against.",
)
@click.option("--host", default="", metavar="NAME", help="Name of this host in the fleet; the machine's by default.")
@click.pass_obj
def command(instance: Instance, controller: str, token_file: Path, host: str) -> None:
    """Exchanges the token for this host's own key and certificate. The key never leaves the host.

    From then on the policy comes from the controller, and `run --policy` is refused. A running agent must be
    restarted; what it records until then goes to the controller too. Auditors are told, signed by this host's event
    key, where its events begin.

    \b
    Examples:
      landfast-agent enroll --controller controller.internal:7443 --token-file hall-1.token
      systemctl restart landfast-agent
    """
    require_root()
    done = enrol.enrol(controller, token_file, instance.state, host)
    trusted = enrol.fingerprint(instance.state)
    click.echo(f"enrolled at {done.controller} as {done.host}, by the root {trusted}; start or restart the agent")
    click.echo(f"event key, for auditors: {event_key.text_of(event_key.path_in(instance.state))}")

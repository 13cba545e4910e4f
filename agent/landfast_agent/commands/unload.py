"""`landfast-agent unload`: removes enforcement from this host."""

import os
import time
from contextlib import suppress

import click

from landfast_agent import devices, loader, lock
from landfast_agent.ask import ask
from landfast_agent.errors import BadInput, Refused, Unavailable
from landfast_agent.instance import Instance

_END_S = 10.0  # in which the daemon ends, once it has answered


@click.command("unload", short_help="Remove enforcement from this host.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; goes into the event.")
@click.option("--force", is_flag=True, help="Also when the event cannot be pushed to the controller.")
@click.pass_obj
def command(instance: Instance, reason: str, force: bool) -> None:
    """Ends enforcement: programs, links and maps are removed, and the daemon stops.

    The event is stored first, and on an enrolled host pushed to the controller and acknowledged by it, unless --force
    is given. Tagged processes can send anywhere afterwards, and lose their tags.

    \b
    Examples:
      landfast-agent unload --reason "decommissioned, NET-1500"
      landfast-agent unload --force --reason "controller is gone for good"
    """
    if not reason.strip():
        raise BadInput("--reason is empty: say why enforcement ends")
    if not instance.pins.exists():
        raise Refused(f"instance {instance.name} is not loaded: there is nothing to remove")
    try:
        ask(instance, "unload", reason=reason, force=force, timeout_s=20)
    except Unavailable as error:
        if not force:
            raise Unavailable(f"{error}\nor use --force: then nothing records that enforcement ended") from error
        _require_no_daemon(instance)
    else:
        _await_end(instance)
    devices.detach(instance)
    loader.unload(instance)
    click.echo(f"instance {instance.name} is unloaded: nothing is enforced on this host by it any more")


def _await_end(instance: Instance) -> None:
    """The daemon answers before it ends; whoever starts another one at once must not meet it."""
    ends = time.monotonic() + _END_S
    while time.monotonic() < ends:
        with suppress(Refused):
            os.close(lock.hold(instance))
            return
        time.sleep(0.02)
    _require_no_daemon(instance)


def _require_no_daemon(instance: Instance) -> None:
    """A daemon that hangs still holds what is loaded, and would put it back."""
    try:
        lock.hold(instance)
    except Refused as error:
        raise Refused(
            f"the agent of instance {instance.name} runs and does not answer: end it first "
            f"(systemctl kill -s KILL landfast-agent, or kill -9), then repeat this"
        ) from error

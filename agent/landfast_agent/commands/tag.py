"""`landfast-agent tag`: tags a live process tree and its open sockets."""

import click

from landfast_agent.ask import ask
from landfast_agent.instance import Instance
from landfast_agent.words import class_names


@click.command("tag", short_help="Tag a live process tree and its open sockets.")
@click.argument("pid", type=click.IntRange(min=1))
@click.option("--class", "classes", required=True, metavar="C[,C...]", help="Data classes to add.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(instance: Instance, pid: int, classes: str, as_json: bool) -> None:
    """Adds data classes to process PID, all of its descendants, and the sockets they have open.

    Tags are never taken away: a process loses them by ending. PID 1, sshd, the agent and its ancestors are refused.

    So is a tree in which somebody holds what nobody can judge (raw and packet sockets, io_uring, tunnel devices and
    the like), or shares a table of descriptors with a process outside: nobody is tagged then. Who opens such a thing
    while it is tagged is killed, unless its classes only record (`mode: audit`, `forbidden_calls: audit`).

    Descendants whose parents have died are found as far back as the kernel remembers: 16,384 forks of the host. TCP
    connections that wait to be accepted at this moment are aborted, since nobody can tag them.

    \b
    Examples:
      landfast-agent tag 4711 --class eea-user-data
      landfast-agent tag "$(pidof ingest)" --class eea-user-data,billing
    """
    names = class_names(classes)
    answer = ask(instance, "tag", pid=pid, classes=names)
    if as_json:
        import json

        click.echo(json.dumps(answer))
        return
    click.echo(f"tagged {', '.join(names)}: {len(answer['processes'])} processes, {answer['sockets']} open sockets")
    for what in answer["ended"]:
        click.echo(f"warning: {what}", err=True)

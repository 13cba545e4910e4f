"""`landfast break-glass`: what cannot wait for approvals."""

from pathlib import Path

import click

from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import reason as reason_option
from landfast_cli.commands.options import wait as wait_option
from landfast_cli.commands.options import why as why_option


@click.group(
    epilog="""\b
Examples:
  landfast break-glass open eea-user-data 192.0.2.0/25 tcp/443 --reason "hall 2 is down" \\
      --ticket INC-77 --key olga-glass.key --wait
  landfast break-glass status
  landfast break-glass review --reason "hall 2 is back" --ticket INC-77
"""
)
def break_glass() -> None:
    """Emergencies: one person opens a little, for hours at most; others look at it afterwards.

    It takes a key that was registered before (`landfast trust draft --break-glass`). The rules end by themselves on
    every host, also on one that hears nothing any more. Everybody is told at once.
    """


@break_glass.command(
    "open",
    epilog="""\b
CLASS and DEST may be several, separated by commas: at most 8 rules in all. DEST is
a prefix of at least /24 (IPv6: /64). PORTS is icmp, or a list of tcp/PORT,
udp/PORT, tcp/FROM-TO: at most 128 ports.

\b
Examples:
  landfast break-glass open eea-user-data 192.0.2.0/25 tcp/443 --reason "hall 2 is down" \\
      --ticket INC-77 --key olga-glass.key --wait
  landfast break-glass open eea-user-data,pii 192.0.2.7,2001:db8:77::7 tcp/443,tcp/5432 \\
      --for 4h --reason "the ledger moves" --ticket INC-78 --key olga-glass.key
""",
)
@click.argument("classes", metavar="CLASS")
@click.argument("destinations", metavar="DEST")
@click.argument("ports", metavar="PORTS")
@why_option
@click.option("--ticket", required=True, metavar="ID", help="Of the incident, e.g. INC-77.")
@click.option("--for", "duration", default="1h", show_default=True, metavar="DURATION", help="At most 4h.")
@click.option(
    "--key",
    required=True,
    metavar="KEY",
    help="Your break-glass key, a file or a PKCS#11 URI; it is not the one that you approve with.",
)
@wait_option
@as_json_option
def open_(
    *,
    classes: str,
    destinations: str,
    ports: str,
    reason: str,
    ticket: str,
    duration: str,
    key: str,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Allow data of CLASS to go to DEST at PORTS, at once and without approval, for a while.

    Only once: what was opened must be reviewed before the glass can be broken again.
    """
    import time

    from landfast.policy.edit import make_rule
    from landfast.policy.ports import parse_port_list
    from landfast_cli import changes, emergency, output, times
    from landfast_cli.session import session

    until = times.moment(duration, time.time(), 1)
    with session() as current, changes.understood():
        entries = parse_port_list(ports)
        rules = (
            make_rule(each.strip(), entries, reason=reason, ticket=ticket, expires=until)
            for each in destinations.split(",")
        )
        names = tuple(name.strip() for name in classes.split(","))
        made = emergency.carry_out(current, emergency.Wanted(names, tuple(rules)), (reason, ticket), key)
        changes.conclude(current, made, (wait, timeout), as_json)
    output.note("others must review this before the glass can be broken again: landfast break-glass review")


@break_glass.command(
    epilog="""\b
Examples:
  landfast break-glass status
  landfast break-glass status --json | jq .broken
"""
)
@as_json_option
def status(as_json: bool) -> None:
    """Whether the glass is broken: by whom, why, what is open until when; and who may break it."""
    from landfast_cli import ceremony, emergency, output, roots
    from landfast_cli.session import session

    with session() as current:
        config: Path = click.get_current_context().find_root().params["config"]
        keys = ceremony.document(roots.newest(current, config))["break_glass"]
        found = emergency.document(current, keys)
    if as_json:
        output.document(found)
    else:
        click.echo("\n".join(emergency.description(found)))


@break_glass.command(
    epilog="""\b
Examples:
  landfast break-glass review --reason "hall 2 is back" --ticket INC-77
  landfast break-glass review --keep --expires 30d --reason "hall 2 moves for good" --ticket NET-1500
"""
)
@click.option("--keep", is_flag=True, help="Propose the rules as ordinary ones, which takes approvals of a widening.")
@click.option("--expires", metavar="WHEN", help="With --keep: E.g. 30d, or 2027-06-30T00:00:00Z; without it they stay.")
@reason_option
@wait_option
@as_json_option
def review(
    *, keep: bool, expires: str | None, reason: str, ticket: str, wait: bool, timeout: float, as_json: bool
) -> None:
    """Propose the version after a broken glass: without what it opened, or with it.

    It takes the approvals of any change, held against what was approved last, and nobody's who broke the glass.
    """
    import time

    from landfast_cli import changes, emergency, times
    from landfast_cli.errors import BadInputError
    from landfast_cli.session import session

    if expires and not keep:
        raise BadInputError("--expires: nothing is kept; add --keep, or leave it out")
    until = times.moment(expires, time.time(), 1) if expires else None
    with session() as current:
        made = emergency.review(current, until, keep=keep, why=(reason, ticket))
        changes.conclude(current, made, (wait, timeout), as_json)

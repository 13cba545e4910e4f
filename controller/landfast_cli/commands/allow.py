"""`landfast allow`: single rules of an allowlist."""

import click

from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import at_once as at_once_option
from landfast_cli.commands.options import reason as reason_option
from landfast_cli.commands.options import wait as wait_option


@click.group(
    epilog="""\b
Examples:
  landfast allow add eea-user-data 192.0.2.0/25 tcp/443 --reason failover
  landfast allow remove eea-user-data 192.0.2.0/25 tcp/443 --reason "failover is over"
  landfast allow list eea-user-data
"""
)
def allow() -> None:
    """Single rules: where the data of a class may go."""


@allow.command(
    epilog="""\b
PORTS: any, icmp, or a list of tcp/PORT, udp/PORT, tcp/FROM-TO.

\b
Examples:
  landfast allow add eea-user-data 10.20.0.0/16 tcp/443,tcp/5432 --reason replication
  landfast allow add eea-user-data 2001:db8:77::/48 any --reason migration --expires 4h --wait
  landfast allow add eea-user-data group:hamar udp/8000-8100 --reason media \\
      --ticket NET-1412 --expires 2027-06-30T00:00:00Z
"""
)
@click.argument("data_class", metavar="CLASS")
@click.argument("destination", metavar="DEST")
@click.argument("ports", metavar="PORTS")
@reason_option
@click.option("--expires", metavar="WHEN", help="E.g. 4h, or 2027-06-30T00:00:00Z; without it the rule stays.")
@at_once_option
@wait_option
@as_json_option
def add(
    *,
    data_class: str,
    destination: str,
    ports: str,
    reason: str,
    ticket: str,
    expires: str | None,
    at_once: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Allow data of CLASS to go to DEST (a prefix, an address, or group:NAME) at PORTS."""
    import time

    from landfast.policy.edit import add_rule, make_rule
    from landfast.policy.ports import parse_port_list
    from landfast_cli.changes import carry_out, understood
    from landfast_cli.times import moment

    now = time.time()
    until = moment(expires, now, 1) if expires else None
    with understood():
        rule = make_rule(destination, parse_port_list(ports), reason=reason, ticket=ticket, expires=until)
    carry_out(
        lambda policy: add_rule(policy.draft(), data_class, rule, now),
        (reason, ticket),
        (wait, timeout),
        at_once=at_once,
        as_json=as_json,
    )


@allow.command(
    epilog="""\b
Examples:
  landfast allow remove eea-user-data 10.20.0.0/16 tcp/443,tcp/5432 --reason "replication has moved" --wait
  landfast allow remove eea-user-data 10.20.0.0/16 tcp/443,tcp/5432 --reason "broken into" --at-once
"""
)
@click.argument("data_class", metavar="CLASS")
@click.argument("destination", metavar="DEST")
@click.argument("ports", metavar="PORTS")
@reason_option
@at_once_option
@wait_option
@as_json_option
def remove(
    *,
    data_class: str,
    destination: str,
    ports: str,
    reason: str,
    ticket: str,
    at_once: bool,
    wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Take back the rule of CLASS with exactly this DEST and PORTS; connections by it are cut."""
    from landfast.policy.edit import remove_rule
    from landfast.policy.ports import parse_port_list
    from landfast_cli.changes import carry_out, understood

    with understood():
        entries = parse_port_list(ports)
    carry_out(
        lambda policy: remove_rule(policy.draft(), data_class, destination, entries),
        (reason, ticket),
        (wait, timeout),
        at_once=at_once,
        as_json=as_json,
    )


@allow.command(
    "list",
    epilog="""\b
Examples:
  landfast allow list
  landfast allow list eea-user-data --json
""",
)
@click.argument("data_class", metavar="[CLASS]", required=False)
@as_json_option
def list_rules(data_class: str | None, as_json: bool) -> None:
    """The rules in force, of one class or of all."""
    from landfast_cli import output, rules, versions
    from landfast_cli.changes import understood
    from landfast_cli.session import session

    with session() as current:
        policy = versions.decoded(versions.fetch(current))
    with understood():
        found = rules.allowed(policy, data_class)
    if as_json:
        output.document([rules.document(each) for each in found])
    else:
        output.table(rules.HEADINGS, map(rules.row, found))

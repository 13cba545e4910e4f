"""`landfast fleet`: hosts, tokens by which they join, and who is let in no more."""

from pathlib import Path

import click

from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import lifetime as lifetime_option
from landfast_cli.commands.options import out as out_option
from landfast_cli.commands.options import why


@click.group(
    epilog="""\b
Examples:
  landfast fleet list
  landfast fleet show hall-1
  landfast fleet token create --out hall-3.token
  landfast fleet ban hall-1 --reason "its disk was stolen"
"""
)
def fleet() -> None:
    """Hosts of the enclave: what they run, how they join, and how they are shut out."""


@fleet.command(
    "list",
    epilog="""\b
Examples:
  landfast fleet list
  landfast fleet list --json | jq '.[] | select(.proved | not) | .name'
""",
)
@as_json_option
def list_hosts(as_json: bool) -> None:
    """All hosts: connected or not, policy version, and whether it is proved."""
    from landfast.v1.fleet_pb2 import ListHostsRequest
    from landfast_cli import hosts, output
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.fleet.ListHosts(ListHostsRequest(), timeout=TIMEOUT_S).hosts
    if as_json:
        output.document([hosts.document(host) for host in found])
    else:
        output.table(hosts.HEADINGS, map(hosts.row, found))


@fleet.command(
    epilog="""\b
Examples:
  landfast fleet show hall-1
  landfast fleet show hall-1 --json
"""
)
@click.argument("host")
@as_json_option
def show(host: str, as_json: bool) -> None:
    """One host: agent, kernel, hooks, policy and its proof, losses."""
    from landfast.v1.fleet_pb2 import GetHostRequest
    from landfast_cli import hosts, output
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.fleet.GetHost(GetHostRequest(name=host), timeout=TIMEOUT_S).host
    if as_json:
        output.document(hosts.document(found))
    else:
        click.echo("\n".join(hosts.description(found)))


@fleet.command(
    epilog="""\b
Examples:
  landfast fleet label hall-1 canary
  landfast fleet label hall-1 canary --remove
"""
)
@click.argument("host")
@click.argument("name", metavar="LABEL")
@click.option("--remove", is_flag=True, help="Take the label away.")
def label(host: str, name: str, remove: bool) -> None:
    """Give HOST a label. Rollouts have stages by label; what a host has been given it keeps."""
    from landfast.v1.fleet_pb2 import LabelHostRequest
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        request = LabelHostRequest(name=host, label=name, remove=remove)
        found = current.fleet.LabelHost(request, timeout=TIMEOUT_S).host
    click.echo(f"labels of {host}: {', '.join(found.labels) or 'none'}")


@fleet.command(
    epilog="""\b
Examples:
  landfast fleet ban hall-1 --reason "its disk was stolen"
"""
)
@click.argument("host")
@why
def ban(host: str, reason: str) -> None:
    """Shut HOST out: it may neither connect nor enrol until it is unbanned.

    What it has open is cut at once. What is enforced on it stays enforced; its events wait there. It keeps its
    certificates, which expire while it cannot renew them: where its key may be known to others, evict it as well.
    """
    from landfast.v1.fleet_pb2 import BanHostRequest
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        current.fleet.BanHost(BanHostRequest(name=host, reason=reason), timeout=TIMEOUT_S)
    click.echo(f"host {host} is banned; an approver can let it in again: landfast fleet unban {host} --reason WHY")


@fleet.command(
    epilog="""\b
Examples:
  landfast fleet unban hall-1 --reason "the disk was found, nobody had read it"
"""
)
@click.argument("host")
@why
def unban(host: str, reason: str) -> None:
    """Let HOST in again, with the certificates that it has. Only approvers can."""
    from landfast.v1.fleet_pb2 import UnbanHostRequest
    from landfast_cli import hosts
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.fleet.UnbanHost(UnbanHostRequest(name=host, reason=reason), timeout=TIMEOUT_S).host
    click.echo(f"host {host} is no longer banned; {hosts.way_back(found)}")


@fleet.command(
    epilog="""\b
Examples:
  landfast fleet evict hall-1 --reason "reinstalled"
  landfast fleet token create --host hall-1 --out hall-1.token
"""
)
@click.argument("host")
@why
def evict(host: str, reason: str) -> None:
    """End the certificates of HOST. It may enrol again with a token of its name.

    What it has open is cut at once. What is enforced on it stays enforced; its events wait there, and go on where they
    were when it is back.
    """
    from landfast.v1.fleet_pb2 import EvictHostRequest
    from landfast_cli import hosts
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.fleet.EvictHost(EvictHostRequest(name=host, reason=reason), timeout=TIMEOUT_S).host
    click.echo(f"host {host} is evicted; {hosts.way_back(found)}")


@fleet.group(
    epilog="""\b
Examples:
  landfast fleet token create --host hall-3 --out hall-3.token
"""
)
def token() -> None:
    """One-time credentials with which hosts enrol."""


@token.command(
    epilog="""\b
Examples:
  landfast fleet token create --out hall-3.token
  landfast fleet token create --host hall-1 --lifetime 30m --out hall-1.token
  landfast-agent enroll --controller controller.example.net:7443 --token-file hall-3.token   (on the host)
"""
)
@click.option("--host", default="", metavar="NAME", help="Only this host; needed to enrol a host again.")
@lifetime_option("1h")
@out_option
def create(host: str, lifetime: str | None, out: Path) -> None:
    """Make a token: a file for one host, good for one enrolment."""
    from landfast.trust import anchor
    from landfast.v1.fleet_pb2 import CreateTokenRequest
    from landfast_cli import output, roots
    from landfast_cli.keys import new_key_at
    from landfast_cli.session import TIMEOUT_S, session
    from landfast_cli.times import seconds

    with session() as current, new_key_at(out) as key:
        request = CreateTokenRequest(host=host, lifetime_s=seconds(lifetime), csr=key.request)
        made = current.fleet.CreateToken(request, timeout=TIMEOUT_S)
        key.keep(made.certificate, made.authority)
        anchor.attach(out, roots.newest(current, click.get_current_context().find_root().params["config"]))
    click.echo(f"token {made.token_id} for {host or 'any new host'}: {out}, good until {output.time(made.expires)} UTC")

"""`landfast shadow`: a policy file that judges on hosts, beside the policy in force."""

from pathlib import Path

import click

from landfast_cli.commands.options import File, why
from landfast_cli.commands.options import as_json as as_json_option

_hosts = click.option("--host", "hosts", multiple=True, metavar="NAME", help="Only this host; may be repeated.")
_labels = click.option("--label", "labels", multiple=True, metavar="LABEL", help="Only hosts with it; may be repeated.")


@click.group(
    epilog="""\b
Examples:
  landfast shadow start policy.yaml --host hall-1 --for 7d --reason "before the move to hall 3"
  landfast shadow status
  landfast shadow stop --reason "seen enough"
"""
)
def shadow() -> None:
    """Try a policy file on live traffic without enforcing it.

    Hosts judge what they record by it, and tell what it would have changed. It
    affects no traffic, so it needs no approval.
    """


@shadow.command(
    epilog="""\b
Examples:
  landfast shadow start policy.yaml --reason "before we propose it"
  landfast shadow start policy.yaml --host hall-1 --host hall-2 --for 2h --reason "a try"
  landfast shadow start policy.yaml --label canary --for 7d --reason "before the move to hall 3"
"""
)
@click.argument("file", type=File)
@_hosts
@_labels
@click.option("--for", "lifetime", metavar="DURATION", help="E.g. 90m, 4h, 30d, which is the longest. [default: 24h]")
@why
def start(file: Path, hosts: tuple[str, ...], labels: tuple[str, ...], lifetime: str | None, reason: str) -> None:
    """Have hosts judge by FILE from now on: all that are enrolled, or those that are named.

    A host has one shadow at a time. It ends by itself, also while the host is
    cut off; a host that restarts begins anew when it is connected again.
    """
    from landfast.v1.shadow_pb2 import StartShadowRequest
    from landfast_cli import files, output, shadows
    from landfast_cli.session import PROPOSAL_TIMEOUT_S, session
    from landfast_cli.times import seconds

    draft = files.read(file).draft
    with session() as current:
        content, names = shadows.candidate(current, draft), shadows.named(current, hosts, labels)
        request = StartShadowRequest(canonical=content, hosts=names, lifetime_s=seconds(lifetime), reason=reason)
        begun = current.shadows.StartShadow(request, timeout=PROPOSAL_TIMEOUT_S).shadows
    first = begun[0]
    where, until = shadows.hosts(begun), output.time(first.until)
    click.echo(f"shadow {first.digest.hex()[:16]} judges on {where} until {until} UTC")


@shadow.command(
    epilog="""\b
Exit status: 0 nothing would be newly denied, 1 something would,
3 the controller cannot be asked.

\b
Examples:
  landfast shadow status
  landfast shadow status --json | jq '.newly_denied[] | [.host, .remote, .port, .count]'
"""
)
@as_json_option
def status(as_json: bool) -> None:
    """What the newest shadow of each host would have changed since it began, also when it is over."""
    import sys

    from landfast.v1.shadow_pb2 import ListShadowsRequest
    from landfast_cli import output, shadows
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.shadows.ListShadows(ListShadowsRequest(), timeout=TIMEOUT_S).shadows
    if as_json:
        output.document(shadows.document(found))
    else:
        shadows.show(found)
    if shadows.summed(found)[0].denies:
        sys.exit(1)


@shadow.command(
    epilog="""\b
Examples:
  landfast shadow stop --host hall-1 --reason "it is taken out of service"
"""
)
@_hosts
@_labels
@why
def stop(hosts: tuple[str, ...], labels: tuple[str, ...], reason: str) -> None:
    """End shadows before their time: all, or those of the hosts that are named."""
    from landfast.v1.shadow_pb2 import StopShadowRequest
    from landfast_cli import shadows
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        request = StopShadowRequest(hosts=shadows.named(current, hosts, labels), reason=reason)
        ended = current.shadows.StopShadow(request, timeout=TIMEOUT_S).shadows
    click.echo(f"the shadow of {shadows.hosts(ended)} is over; `landfast shadow status` tells what it found")

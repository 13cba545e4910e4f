"""`landfast identity`: operators, approvers, auditors."""

from pathlib import Path

import click

from landfast_cli.commands.options import as_json as as_json_option
from landfast_cli.commands.options import lifetime as lifetime_option
from landfast_cli.commands.options import out as out_option

_ROLES = ("operator", "approver", "auditor")


@click.group(
    epilog="""\b
Examples:
  landfast identity create vera --role auditor --out vera.pem
  landfast identity list
  landfast identity revoke vera
"""
)
def identity() -> None:
    """Operators, approvers and auditors."""


@identity.command(
    epilog="""\b
Examples:
  landfast identity create alice --role operator --out alice.pem
  landfast identity create vera --role auditor --lifetime 30d --out vera.pem
  landfast identity create carol --role approver --out carol.pem --protect
"""
)
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True, help="What it may do.")
@lifetime_option("90d")
@out_option
@click.option("--protect", is_flag=True, help="Encrypt its key with a passphrase, which is asked for.")
def create(*, name: str, role: str, lifetime: str | None, out: Path, protect: bool) -> None:
    """Make an identity file for NAME. Only approvers can.

    A passphrase is NAME's to choose: `landfast key change-passphrase` sets another one.
    """
    from landfast.v1.fleet_pb2 import CreateIdentityRequest
    from landfast_cli import output, passphrases
    from landfast_cli.keys import new_key_at
    from landfast_cli.session import TIMEOUT_S, session
    from landfast_cli.times import seconds

    with session() as current, new_key_at(out) as key:
        what = f"new passphrase of {out}"
        passphrase = passphrases.given(what, passphrases.NEW_PASSPHRASE, confirm=True) if protect else ""
        request = CreateIdentityRequest(name=name, role=role, lifetime_s=seconds(lifetime), csr=key.request)
        made = current.identities.CreateIdentity(request, timeout=TIMEOUT_S)
        key.keep(made.certificate, made.authority, passphrase)
    click.echo(f"{role} {name}: {out}, good until {output.time(made.identity.expires)} UTC")


@identity.command(
    "list",
    epilog="""\b
Examples:
  landfast identity list
  landfast identity list --json
""",
)
@as_json_option
def list_identities(as_json: bool) -> None:
    """All identities of people, also those that were revoked."""
    from landfast.v1.fleet_pb2 import ListIdentitiesRequest
    from landfast_cli import output, people
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        found = current.identities.ListIdentities(ListIdentitiesRequest(), timeout=TIMEOUT_S).identities
    if as_json:
        output.document([people.document(each) for each in found])
    else:
        output.table(people.HEADINGS, map(people.row, found))


@identity.command(
    epilog="""\b
Examples:
  landfast identity revoke vera
"""
)
@click.argument("name")
def revoke(name: str) -> None:
    """End an identity, at once, also where it is connected. Only approvers can."""
    from landfast.v1.fleet_pb2 import RevokeIdentityRequest
    from landfast_cli.session import TIMEOUT_S, session

    with session() as current:
        revoked = current.identities.RevokeIdentity(RevokeIdentityRequest(name=name), timeout=TIMEOUT_S).identity
    click.echo(f"{revoked.role} {revoked.name} is revoked")

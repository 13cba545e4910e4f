"""`landfast-controller init`: the keys, the database and the first identity of a new deployment."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from landfast.identity import Bundle, Role, SpiffeId, key_pem, new_key
from landfast_controller.authority import Authority
from landfast_controller.errors import BadInputError, UnavailableError
from landfast_controller.services.identity import create
from landfast_controller.store import Store

DATABASE = "landfast.db"
SERVER = "server.pem"
FIRST_APPROVER = "first-approver.pem"

#: The first approver makes the other identities; a deployment whose approvers have all expired is locked.
_FIRST_LIFETIME = timedelta(days=365)


def initialise(directory: Path, domain: str, addresses: Sequence[str]) -> None:
    """Makes a deployment in `directory`, which must be empty or missing.

    `addresses` are DNS names and IP addresses that the server's certificate is to carry beside its fixed name.
    """
    _make_empty(directory)
    authority = Authority.create(domain)
    authority.store(directory)
    authority.issue_server(addresses).write(directory / SERVER)
    asyncio.run(_first_approver(authority, directory))


async def _first_approver(authority: Authority, directory: Path) -> None:
    store = await Store.create(directory / DATABASE)
    key, holder = new_key(), SpiffeId(authority.domain, Role.APPROVER, "first-approver")
    certificate = authority.issue(holder, key.public_key(), _FIRST_LIFETIME)
    actor = SpiffeId(authority.domain, Role.CONTROLLER)
    await store.write(lambda transaction: create(transaction, holder, certificate, actor))
    await store.close()
    leaf = certificate.public_bytes(Encoding.PEM)
    Bundle(key_pem(key), leaf, authority.pem).write(directory / FIRST_APPROVER)


def _make_empty(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        present = sorted(path.name for path in directory.iterdir())
    except OSError as error:
        raise UnavailableError(f"directory {directory}: {error.strerror}; choose another one") from error
    if present:
        raise BadInputError(
            f"directory {directory} is not empty ({', '.join(present[:5])}); nothing is overwritten: choose a new one, "
            "or delete it together with the deployment that it may hold"
        )
    directory.chmod(0o700)

"""`landfast-controller init`: the keys, the database and the first identity of a new deployment.

The keys of root, and the first approver's signing key, are made here only so that somebody has them: whoever takes the
promise seriously moves them to other machines before the controller serves.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from landfast.identity import Bundle, Role, SpiffeId, key_pem, new_key
from landfast.trust import keys, metadata
from landfast.trust.approvals import Approvals
from landfast_controller import log_key
from landfast_controller.authority import Authority
from landfast_controller.errors import BadInputError, UnavailableError
from landfast_controller.services.identity import create
from landfast_controller.store import Store
from landfast_controller.trust import ONLINE_KEY, add_root

DATABASE = "landfast.db"
SERVER = "server.pem"
FIRST_APPROVER = "first-approver.pem"
FIRST_KEY = "first-approver.key"
ROOT = "1.root.json"
OFFLINE = "offline"  # the directory of the keys of root

_ROOT_KEYS, _ROOT_THRESHOLD, _ROOT_LIFETIME = 3, 2, timedelta(days=3 * 365)

#: The first approver makes the other identities; a deployment whose approvers have all expired is locked.
_FIRST_NAME, _FIRST_LIFETIME = "first-approver", timedelta(days=365)


def initialise(directory: Path, domain: str, addresses: Sequence[str]) -> None:
    """Makes a deployment in `directory`, which must be empty or missing.

    `addresses` are DNS names and IP addresses that the server's certificate is to carry beside its fixed name.
    """
    _make_empty(directory)
    authority = Authority.create(domain)
    authority.store(directory)
    authority.issue_server(addresses).write(directory / SERVER)
    (directory / ROOT).write_bytes(root := _first_root(directory))
    log_key.create(directory, domain)
    asyncio.run(_first_records(authority, directory, root))


def _first_root(directory: Path) -> bytes:
    """Root metadata by which one approval, also the proposer's own, is enough."""
    (directory / OFFLINE).mkdir(mode=0o700)
    root_keys = [keys.create(directory / OFFLINE / f"root-{number}.key", "") for number in range(1, _ROOT_KEYS + 1)]
    approver = keys.held_by(_FIRST_NAME, keys.create(directory / FIRST_KEY, "").public_key)
    online = keys.create(directory / ONLINE_KEY, "")
    public = [key.public_key for key in root_keys]
    made = metadata.draft_root(public, _ROOT_THRESHOLD, [approver], online.public_key, Approvals(), _ROOT_LIFETIME)
    for key in root_keys:
        made.sign(key, append=True)
    return made.to_bytes()


async def _first_records(authority: Authority, directory: Path, root: bytes) -> None:
    store = await Store.create(directory / DATABASE)
    key, holder = new_key(), SpiffeId(authority.domain, Role.APPROVER, _FIRST_NAME)
    certificate = authority.issue(holder, key.public_key(), _FIRST_LIFETIME)
    actor = SpiffeId(authority.domain, Role.CONTROLLER)
    await store.write(lambda transaction: create(transaction, holder, certificate, actor))
    await store.write(lambda transaction: add_root(transaction, root, 1, actor))
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

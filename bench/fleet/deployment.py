"""A deployment in a directory: what `landfast-controller init` makes, hosts that are enrolled, and policies to come."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench.prefixes import allowlist, policy
from landfast.identity import Bundle, Role, SpiffeId, key_pem, new_key
from landfast.policy import canonical
from landfast.policy.tables import compile_policy
from landfast.trust import keys, metadata
from landfast_controller import enrolment, renewal
from landfast_controller.authority import Authority, serial_of
from landfast_controller.callers import Caller
from landfast_controller.initialise import DATABASE, FIRST_APPROVER, FIRST_KEY, ROOT, initialise
from landfast_controller.renewal import Lifetimes
from landfast_controller.store import Store, Transaction
from tests.testbed import event_keys

_LIFETIME = timedelta(days=1)
_PROPOSER = "first-approver"


@dataclass(frozen=True)
class Version:
    """A policy that is ready to be proposed: canonical form, and targets metadata with the approval that it takes."""

    number: int
    content: bytes
    targets: bytes


@dataclass(frozen=True)
class Deployment:
    """Paths that the processes of the benchmark share."""

    directory: Path

    @property
    def controller(self) -> Path:
        """What `landfast-controller serve --dir` takes."""
        return self.directory / "controller"

    @property
    def database(self) -> Path:
        return self.controller / DATABASE

    @property
    def authority(self) -> Authority:
        return Authority.load(self.controller)

    @property
    def approver(self) -> Bundle:
        return Bundle.read(self.controller / FIRST_APPROVER)

    @property
    def root(self) -> bytes:
        return (self.controller / ROOT).read_bytes()

    @property
    def map_digests(self) -> Path:
        """JSON: by the version of a policy, in hexadecimal, what a kernel's maps must come to."""
        return self.directory / "map_digests.json"

    def host(self, name: str) -> Path:
        """Its identity file."""
        return self.directory / f"{name}.pem"

    def sent(self, version: int) -> Path:
        """What the controller has sent to a host when this version came: one serialized SyncResponse."""
        return self.directory / f"{version}.response"


def make(directory: Path, hosts: Sequence[str]) -> Deployment:
    """A new deployment with these hosts, enrolled by the controller's own code, in one transaction."""
    made = Deployment(directory)
    initialise(made.controller, "bench.internal", ["127.0.0.1"])
    asyncio.run(_enrol(made, hosts))
    return made


async def _enrol(deployment: Deployment, hosts: Sequence[str]) -> None:
    authority, store = deployment.authority, await Store.open(deployment.database)

    async def work(transaction: Transaction) -> None:
        for host in hosts:
            (await _enrolled(transaction, authority, host)).write(deployment.host(host))

    try:
        await store.write(work)
    finally:
        await store.close()


async def _enrolled(transaction: Transaction, authority: Authority, host: str) -> Bundle:
    """By a token that is made for it: tokens are the only way in."""
    key, actor = new_key(), Caller(SpiffeId(authority.domain, Role.APPROVER, _PROPOSER), "")
    token = enrolment.new_token(authority, key.public_key(), _LIFETIME)
    await enrolment.add_token(transaction, token, host, actor)
    pair = renewal.issue(authority, host, key.public_key(), Lifetimes(_LIFETIME, timedelta()))
    signer = enrolment.Signer(event_keys.public(host), statement=None)
    await enrolment.enrol(transaction, Caller(token.holder, serial_of(token.certificate)), pair, signer)
    certificate, recovery = pair.pem
    return Bundle(key_pem(key), certificate, authority.pem, recovery)


def versions(deployment: Deployment, count: int, prefixes: int) -> list[Version]:
    """The first `count` versions, each with other prefixes than the one before; tells the hosts their digests."""
    signer, previous, made, digests = keys.load(deployment.controller / FIRST_KEY, ""), None, [], {}
    for number in range(1, count + 1):
        previous = policy(allowlist(prefixes, number % 2), previous)
        content = canonical.encode(previous)
        draft = metadata.draft_targets(number, content, _PROPOSER, ("benchmark", ""), _LIFETIME)
        draft.sign(signer)
        made.append(Version(number, content, draft.to_bytes()))
        digests[number] = compile_policy(previous, canonical.digest(content)).digest.hex()
    deployment.map_digests.write_text(json.dumps(digests))
    return made

"""A deployment's keys and files, as its controller would hold them, for tests to use and to misuse."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, Root, Targets

from landfast.policy import canonical
from landfast.policy.model import Draft, Policy, Rule
from landfast.policy.succession import succeed
from landfast.trust import metadata
from landfast.trust.approvals import Approvals
from landfast.trust.breakglass import ground
from landfast.trust.incident import Incident
from landfast.trust.keys import breaking_glass, held_by
from landfast.trust.verifier import policy_file
from tests.unit.policy.examples import draft_of

YEAR, DAY = timedelta(days=365), timedelta(days=1)
PEOPLE = ("alice", "bob", "carol")
FOUR_EYES = Approvals(
    {"sre": ("alice", "bob"), "privacy": ("carol",)}, widening={"sre": 1, "privacy": 1}, narrowing={"sre": 1}
)


class Deployment:
    """`files` is what a host would be sent."""

    def __init__(self, approvals: Approvals = FOUR_EYES, breakers: tuple[str, ...] = ()) -> None:
        self.root_keys: list[Signer] = [CryptoSigner.generate_ed25519() for _ in range(3)]
        self.people: dict[str, Signer] = {name: CryptoSigner.generate_ed25519() for name in PEOPLE}
        self.breakers: dict[str, Signer] = {name: CryptoSigner.generate_ed25519() for name in breakers}
        self.online: Signer = CryptoSigner.generate_ed25519()
        self.files: dict[str, bytes] = {}
        self.policies: list[Policy] = []
        self._newest = 0
        self.root = self.new_root(approvals)

    def new_root(
        self,
        approvals: Approvals,
        by: tuple[int, ...] = (0, 1),
        approved: tuple[str, ...] = (),
        before: Root | None = None,
    ) -> bytes:
        """The next root, signed by root keys by number and by approvers by name; among `files` unless the first."""
        signers = [held_by(name, key.public_key) for name, key in self.people.items()]
        signers += [breaking_glass(name, key.public_key) for name, key in self.breakers.items()]
        made = metadata.draft_root(
            [key.public_key for key in self.root_keys],
            2,
            signers,
            self.online.public_key,
            approvals,
            YEAR,
            before,
        )
        for signer in [*(self.root_keys[at] for at in by), *(self.people[name] for name in approved)]:
            made.sign(signer, append=True)
        if before:
            self.files[f"{made.signed.version}.root.json"] = made.to_bytes()
        return made.to_bytes()

    def current_root(self) -> Root:
        return metadata.read_root(self.root).signed

    def policy(self, *allowed: str) -> Policy:
        """The next version: one class that may talk to these prefixes."""
        rules = "".join(f"      - {{to: {each}, ports: [tcp/443], reason: test}}\n" for each in allowed) or "      []\n"
        draft = draft_of(f"version: 1\ndata_classes:\n  eu:\n    allow:\n{rules}")
        return succeed(draft, self.policies[-1] if self.policies else None)

    def with_rules(self, *rules: Rule) -> Policy:
        """The next version: the newest one, and these."""
        newest = self.policies[-1]
        [only] = newest.draft().classes
        return succeed(Draft((replace(only, allow=(*only.allow, *rules)),), newest.groups), newest)

    def break_glass(
        self, policy: Policy, incident: Incident, by: str = "olga", why: tuple[str, str] = ("down", "INC-7")
    ) -> dict[str, bytes]:
        """Puts out what somebody does alone. What hosts are sent then."""
        return self.put_out(policy, [self.breakers[by]], by, why, more=incident.to_fields())

    def release(
        self, policy: Policy, *by: str, proposer: str = "dave", version: int = 0, lifetime: timedelta = YEAR
    ) -> dict[str, bytes]:
        """Puts a policy out, approved by these people, and says that it is the newest. What hosts are sent then."""
        signers, more = [self.people[name] for name in by], self._review(policy)
        return self.put_out(policy, signers, proposer, ("test", ""), version=version, lifetime=lifetime, more=more)

    def _review(self, policy: Policy) -> dict[str, Any]:
        """What a version says that comes right after a broken glass."""
        before = self.files.get(f"{policy.version - 1}.targets.json")
        broken = ground(self.policies[-1], metadata.read_targets(before).signed).broken if before else None
        return broken.to_fields() if broken else {}

    def put_out(
        self,
        policy: Policy,
        signers: Sequence[Signer],
        proposer: str,
        why: tuple[str, str],
        *,
        version: int = 0,
        lifetime: timedelta = YEAR,
        more: Mapping[str, Any] | None = None,
    ) -> dict[str, bytes]:
        data = canonical.encode(policy)
        made = metadata.draft_targets(version or policy.version, data, proposer, why, lifetime, more)
        for signer in signers:
            made.sign(signer, append=True)
        self.policies.append(policy)
        self.files[f"{made.signed.version}.targets.json"] = made.to_bytes()
        self.files[policy_file(canonical.digest(data))] = data
        return self.announce(made.signed.version)

    def announce(self, version: int, number: int = 0, lifetime: timedelta = DAY) -> dict[str, bytes]:
        """Signs, with the controller's key, that a version is the newest."""
        self._newest = number or self._newest + 1
        self.files |= metadata.newest(version, self._newest, self.online, lifetime)
        return dict(self.files)


def resigned(data: bytes, *signers: Signer) -> bytes:
    """Metadata with the signatures of these and nobody else."""
    made: Metadata[Targets] = Metadata.from_bytes(data)
    made.signatures.clear()
    for signer in signers:
        made.sign(signer, append=True)
    return made.to_bytes()

"""A deployment's keys and files, as its controller would hold them, for tests to use and to misuse."""

from datetime import timedelta

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, Root, Targets

from landfast.policy import canonical
from landfast.policy.model import Policy
from landfast.policy.succession import succeed
from landfast.trust import metadata
from landfast.trust.approvals import Approvals
from landfast.trust.keys import held_by
from landfast.trust.verifier import policy_file
from tests.unit.policy.examples import draft_of

YEAR, DAY = timedelta(days=365), timedelta(days=1)
PEOPLE = ("alice", "bob", "carol")
FOUR_EYES = Approvals(
    {"sre": ("alice", "bob"), "privacy": ("carol",)}, widening={"sre": 1, "privacy": 1}, narrowing={"sre": 1}
)


class Deployment:
    """`files` is what a host would be sent."""

    def __init__(self, approvals: Approvals = FOUR_EYES) -> None:
        self.root_keys: list[Signer] = [CryptoSigner.generate_ed25519() for _ in range(3)]
        self.people: dict[str, Signer] = {name: CryptoSigner.generate_ed25519() for name in PEOPLE}
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
        made = metadata.draft_root(
            [key.public_key for key in self.root_keys],
            2,
            [held_by(name, key.public_key) for name, key in self.people.items()],
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

    def release(
        self, policy: Policy, *by: str, proposer: str = "dave", version: int = 0, lifetime: timedelta = YEAR
    ) -> dict[str, bytes]:
        """Puts a policy out, approved by these people, and says that it is the newest. What hosts are sent then."""
        data = canonical.encode(policy)
        made = metadata.draft_targets(version or policy.version, data, proposer, ("test", ""), lifetime)
        for name in by:
            made.sign(self.people[name], append=True)
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

"""Did hosts have the policy in force that the log recorded under that version?

A batch that ends a round names the policy that the kernel had: version, and digest of the canonical form. The log has
the digest of each version from before any host could get it. So both must agree, with one exception: a host that had a
policy file of its own keeps that in force from its enrolment until the first policy of the deployment reaches it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from landfast.v1.audit_pb2 import ControlAction
from landfast.v1.batch_pb2 import Batch

Policy = tuple[int, bytes]  # version and digest


@dataclass
class Versions:
    """Index and digest by version, as the log recorded them. `begin` is the index of its oldest entry."""

    begin: int = 0
    _recorded: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    def accept(self, index: int, action: ControlAction) -> None:
        """Takes a version. What the log first said of it counts; some releases did not say a digest."""
        if action.subject.isdecimal() and action.subject.isascii():
            self._recorded.setdefault(int(action.subject), (index, _digest(action.fields.get("digest", ""))))

    def objection(self, version: int, digest: bytes) -> str:
        """Why this is no policy of the log. Empty when it is, or when nobody can tell: it is pruned, or older."""
        if recorded := self._recorded.get(version):
            index, expected = recorded
            differs = expected and expected != digest
            return f"the log recorded {expected.hex()[:16]} for it, at index {index}" if differs else ""
        is_pruned = self.begin and version < min(self._recorded, default=version + 1)
        return "" if is_pruned else "the log has recorded no such version until then"


@dataclass
class InForce:
    """What one host says. `own` is the policy that is not the log's, and that it had when it was enrolled."""

    own: Policy | None = None
    is_own: bool = False  # still
    _newest: Policy | None = None

    def begin_anew(self) -> None:
        """After an enrolment the first policy may be the host's own."""
        self.own, self.is_own, self._newest = None, False, None

    def take(self, message: Batch, versions: Versions) -> Iterator[str]:
        """Adds a batch. What is wrong with a policy, one sentence where the host begins to have it."""
        named, before = (message.policy_version, message.policy_digest), self._newest
        if not message.policy_version or named == before:
            return
        self._newest = named
        why = versions.objection(*named)
        self.is_own = bool(why) and before is None
        if self.is_own:
            self.own = named
        elif why:
            yield f"policy {named[0]} with digest {named[1].hex()[:16]} is in force from here on: {why}"


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""

"""Making and signing metadata: drafts, signatures on them, and what is newest.

A policy version is the target `policy.json`, its canonical form; the version of the targets metadata is the policy's.
An approval is a signature on that metadata, so that any other policy, version, base or proposer is another approval.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Key, Signature, Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Role, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from landfast.trust.approvals import Approvals
from landfast.trust.errors import TrustError
from landfast.trust.keys import breaker, holder

T = TypeVar("T", Root, Targets)
S = TypeVar("S")

POLICY = "policy.json"
_PROPOSER, _REASON, _TICKET = "x-landfast-proposer", "x-landfast-reason", "x-landfast-ticket"


def read_root(data: bytes) -> Metadata[Root]:
    """Raises TrustError when it is none."""
    return _read(data, Root)


def fingerprint(root: bytes) -> str:
    """SHA-256 of what root metadata says, in hexadecimal: the same whoever signs it."""
    return sha256(read_root(root).signed_bytes).hexdigest()


def read_targets(data: bytes) -> Metadata[Targets]:
    """Raises TrustError when it is none."""
    return _read(data, Targets)


def _read(data: bytes, kind: type[T]) -> Metadata[T]:
    try:
        found = Metadata.from_bytes(data)
    except (DeserializationError, RepositoryError) as error:
        raise TrustError(f"{kind.type} metadata cannot be read ({error}); fetch it anew") from None
    if not isinstance(found.signed, kind):
        raise TrustError(f"metadata of the role {found.signed.type} stands where {kind.type} should; fetch it anew")
    return found


def draft_root(  # noqa: PLR0917
    root_keys: Sequence[Key],
    threshold: int,
    signers: Sequence[Key],
    online: Key,
    approvals: Approvals,
    lifetime: timedelta,
    before: Root | None = None,
) -> Metadata[Root]:
    """The root that follows `before`, unsigned. Raises TrustError when the approvals do not fit the approvers.

    `signers` are keys of approvers and keys that break the glass. Where there are any of these, one signature gets
    through TUF's own check of targets metadata; how many approvals a version takes is checked beside that.
    """
    _check_names(approvals, signers)
    keys = {key.keyid: key for key in (*root_keys, *signers, online)}
    roles = {
        "root": Role([key.keyid for key in root_keys], threshold),
        "targets": Role([key.keyid for key in signers], 1 if any(map(breaker, signers)) else approvals.fewest),
        "snapshot": Role([online.keyid], 1),
        "timestamp": Role([online.keyid], 1),
    }
    version, expires = before.version + 1 if before else 1, _from_now(lifetime)
    return Metadata(Root(version, None, expires, keys, roles, True, approvals.to_root()))


def _check_names(approvals: Approvals, signers: Sequence[Key]) -> None:
    approvals.check()
    if len({key.keyid for key in signers}) < len(signers):
        raise TrustError("two of the keys are the same; make one for each purpose with `landfast key create`")
    known = {holder(key) for key in signers}
    for group, members in approvals.groups.items():
        if unknown := sorted(set(members) - known):
            raise TrustError(f"group {group}: {unknown[0]} has no key; add one, or leave them out")


def draft_targets(  # noqa: PLR0917
    version: int,
    policy: bytes,
    proposer: str,
    why: tuple[str, str],
    lifetime: timedelta,
    more: Mapping[str, Any] | None = None,
) -> Metadata[Targets]:
    """A policy version, unsigned. `why` is reason and ticket, `more` what else is to be signed."""
    said = {_PROPOSER: proposer, _REASON: why[0], _TICKET: why[1], **(more or {})}
    target = TargetFile.from_data(POLICY, policy, ["sha256"])
    return Metadata(Targets(version, None, _from_now(lifetime), {POLICY: target}, None, said))


def proposer_of(targets: Targets) -> str:
    return str(targets.unrecognized_fields.get(_PROPOSER, ""))


def why_of(targets: Targets) -> tuple[str, str]:
    """Reason and ticket."""
    reason, ticket = (str(targets.unrecognized_fields.get(name, "")) for name in (_REASON, _TICKET))
    return reason, ticket


def said(targets: Targets, field: str, kind: type[S]) -> S | None:
    """What else is signed under the name `field`, if anything. Raises TrustError for what is not of that kind."""
    found = targets.unrecognized_fields.get(field)
    try:
        return None if found is None else msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise TrustError(f"targets {targets.version}: {field}: {error}; propose it again with this version") from None


def digest_of(targets: Targets) -> bytes:
    """SHA-256 of the policy that it is about. Raises TrustError when it is about anything else."""
    if list(targets.targets) != [POLICY] or "sha256" not in targets.targets[POLICY].hashes:
        raise TrustError(f"targets {targets.version}: it is not about {POLICY} alone; propose the change again")
    return bytes.fromhex(targets.targets[POLICY].hashes["sha256"])


def newest(targets: int, version: int, online: Signer, lifetime: timedelta) -> dict[str, bytes]:
    """Snapshot and timestamp: `version` of both says that targets metadata of version `targets` is the newest."""
    snapshot = Metadata(Snapshot(version, None, _from_now(lifetime), {"targets.json": MetaFile(targets)}))
    timestamp = Metadata(Timestamp(version, None, _from_now(lifetime), MetaFile(version)))
    for each in (snapshot, timestamp):
        each.sign(online)
    return {f"{version}.snapshot.json": snapshot.to_bytes(), "timestamp.json": timestamp.to_bytes()}


def approvers(root: Root, signed: Metadata[Any]) -> set[str]:
    """Names of those whose approval of metadata is good."""
    return _signers(root, signed, holder)


def breakers(root: Root, signed: Metadata[Any]) -> set[str]:
    """Names of those who have signed metadata with a key that breaks the glass."""
    return _signers(root, signed, breaker)


def _signers(root: Root, signed: Metadata[Any], name: Callable[[Key], str]) -> set[str]:
    keys = (root.keys[keyid] for keyid in root.roles["targets"].keyids if keyid in root.keys)
    good = (key for key in keys if _is_good(key, signed.signatures.get(key.keyid), signed.signed_bytes))
    return {name(key) for key in good} - {""}


def _is_good(key: Key, signature: Signature | None, payload: bytes) -> bool:
    if signature is None:
        return False
    try:
        key.verify_signature(signature, payload)
    except UnverifiedSignatureError:
        return False
    return True


def with_signatures(draft: Metadata[T], signatures: Iterable[Mapping[str, str]]) -> Metadata[T]:
    """Metadata with more signatures, each as `Signature.to_dict` gives it."""
    for each in signatures:
        signature = Signature.from_dict(dict(each))
        draft.signatures[signature.keyid] = signature
    return draft


def _from_now(lifetime: timedelta) -> datetime:
    return (datetime.now(UTC) + lifetime).replace(microsecond=0)

"""What an agent believes: a policy is taken only when the metadata that comes with it proves its approval.

The client's workflow of the TUF specification (section 5) guards against rollback, freeze, mix-and-match and endless
data; on top of it stand the approvals that the root metadata asks for, and the narrow bounds of what breaks the glass.
Whoever holds the controller and its keys can keep hosts on the policy that they have, and nothing else.

What is trusted lies in one directory, which changes only when everything has been found good.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import inf
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError, StorageError
from tuf.api.metadata import Metadata, Root, Targets
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from landfast.identity import write_private
from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.model import Policy
from landfast.policy.widening import widenings
from landfast.trust import breakglass, metadata
from landfast.trust.approvals import Approvals, words
from landfast.trust.breakglass import Ground
from landfast.trust.errors import TrustError
from landfast.trust.incident import Incident
from landfast.trust.succession import check_root

Files = Mapping[str, bytes]  # by the names that TUF gives them: 2.root.json, timestamp.json, HASH.policy.json

_ROOTS, _TRIAL = "[0-9]*.root.json", ".trust-"
_NEWEST = ("root.json", "timestamp.json", "snapshot.json", "targets.json")
_CONFIG = UpdaterConfig(max_root_rotations=64, targets_max_length=1 << 20, app_user_agent="landfast")


def policy_file(digest: bytes) -> str:
    """The name of a policy among `Files`."""
    return f"{digest.hex()}.{metadata.POLICY}"


@dataclass(frozen=True)
class Held:
    """The policy in force, and the targets metadata by which it was accepted."""

    policy: Policy
    targets: bytes


@dataclass(frozen=True)
class Accepted:
    """A policy in canonical form, and the targets metadata that proves its approval: what `Verifier.prove` takes."""

    policy: bytes
    targets: bytes


class _Bundle(FetcherInterface):
    """What was sent, as TUF's client asks for it."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def _fetch(self, url: str) -> Iterator[bytes]:
        if url not in self._files:
            raise DownloadHTTPError(f"{url} was not sent", 404)
        yield self._files[url]


class Verifier:
    """Trust of one host, kept in `directory`: the newest of each role, and in `roots` every root on the way to it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self._roots = directory, directory / "roots"

    @classmethod
    def establish(cls, directory: Path, root: bytes) -> "Verifier":
        """Begins with root metadata that is known to be right. Raises TrustError when it does not sign itself.

        What is known already of the same deployment stays known: a host that is enrolled again takes nothing older.
        """
        found = metadata.read_root(root)
        check_root(found, None)
        made = cls(directory)
        continues = made._continues(found.signed)
        if not continues:
            shutil.rmtree(directory, ignore_errors=True)
        made._roots.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(made._roots / _root_file(found.signed.version), root)
        if not continues or made.root.version < found.signed.version:
            write_private(directory / "root.json", root)
        return made

    def _continues(self, root: Root) -> bool:
        """Whether the newest timestamp here is of the controller that `root` names."""
        try:
            newest = Metadata.from_file(str(self.directory / "timestamp.json"))
            root.verify_delegate("timestamp", newest.signed_bytes, newest.signatures)
            return self.root.roles["timestamp"].keyids == root.roles["timestamp"].keyids
        except (OSError, TrustError, RepositoryError, StorageError):
            return False

    @property
    def root(self) -> Root:
        return metadata.read_root((self.directory / "root.json").read_bytes()).signed

    @property
    def fingerprint(self) -> str:
        """Of the root that trust began with."""
        return metadata.fingerprint(min(self._roots.glob(_ROOTS), key=_root_version).read_bytes())

    def expires(self) -> datetime | None:
        """When what is known to be newest is no longer: the timestamp's expiry. None before the first policy."""
        path = self.directory / "timestamp.json"
        return Metadata.from_file(str(path)).signed.expires if path.exists() else None

    def accept(self, files: Files, held: Held | None, now: float) -> Accepted:
        """The newest policy of a bundle with its proof, or TrustError when any of it cannot be believed.

        What narrows the policy that is `held` may take fewer approvals. What a host has missed in between is judged
        step by step, when the bundle holds it. `now`, in seconds since 1970, bounds what breaks the glass.
        """
        with self._trial() as trial:
            root = self._walk_roots(files)
            targets = _refreshed(trial, files)
            policy = _approved(root, metadata.read_targets(targets), files, held, now)
            self._keep(trial)
        return Accepted(policy, targets)

    def prove(self, policy: bytes, targets: bytes) -> None:
        """Raises TrustError unless `policy` is what `targets` name, signed as a root asks that is or was trusted here.

        A root that was replaced still counts: what it has approved stays in force until there is something newer. By
        how little a version breaks the glass was judged when it was accepted.
        """
        found = metadata.read_targets(targets)
        version = found.signed.version
        if not any(_is_signed(root, found) for root in self._trusted_roots()):
            raise TrustError(f"stored policy {version}: nobody has approved it; the controller has the newest")
        if metadata.digest_of(found.signed) != sha256(policy).digest():
            raise TrustError(f"stored policy {version}: it is not the one that was approved")

    def _trusted_roots(self) -> Iterator[Root]:
        """Newest first. One that is newer than `root.json` is of a step that was not finished."""
        newest = self.root
        for path in sorted(self._roots.glob(_ROOTS), key=_root_version, reverse=True):
            if _root_version(path) <= newest.version:
                yield metadata.read_root(path.read_bytes()).signed

    def sweep(self) -> None:
        """Removes what an end in the middle of `accept` has left. For the one process that calls `accept`."""
        for left in self.directory.parent.glob(f"{_TRIAL}*"):
            shutil.rmtree(left)
        for left in self.directory.rglob(".*"):
            left.unlink()

    @contextmanager
    def _trial(self) -> Iterator[Path]:
        """A copy of what is trusted, to try things out in."""
        with tempfile.TemporaryDirectory(prefix=_TRIAL, dir=self.directory.parent) as name:
            trial = Path(name) / "trusted"
            shutil.copytree(self.directory, trial)
            yield trial

    def _keep(self, trial: Path) -> None:
        """Roots first: whatever a crash leaves behind is older, and as good as what was trusted before."""
        walked = {_root_file(_root_version(path)): path for path in (trial / "root_history").iterdir()}
        kept = {self._roots / name: walked[name] for name in sorted(walked)}
        kept |= {self.directory / name: trial / name for name in _NEWEST}
        for path, found in kept.items():
            if not path.exists() or path.read_bytes() != found.read_bytes():
                write_private(path, found.read_bytes())

    def _walk_roots(self, files: Files) -> Root:
        """The newest root. Who approves, and how many, changes only with the approval of those who do so now.

        TUF's client checks again that the keys of root have signed each step.
        """
        root = self.root
        while (data := files.get(_root_file(root.version + 1))) is not None:
            following = metadata.read_root(data)
            check_root(following, root)
            root = following.signed
        return root


def _root_file(version: int) -> str:
    return f"{version}.root.json"


def _root_version(path: Path) -> int:
    return int(path.name.partition(".")[0])


def stands_alone(root: Root, targets: Metadata[Targets]) -> bool:
    """Whether a version may follow on any other, or on none: it has the approvals of a widening."""
    return Incident.of(targets.signed) is None and not missing_approvals(root, targets, widens=True)


def _is_signed(root: Root, targets: Metadata[Targets]) -> bool:
    """Whether it may follow on some version, at least."""
    if Incident.of(targets.signed):
        return breakglass.is_signed(root, targets)
    return not (missing_approvals(root, targets, widens=False) and missing_approvals(root, targets, widens=True))


def _approved(root: Root, newest: Metadata[Targets], files: Files, held: Held | None, now: float) -> bytes:
    """The newest policy, when each step to it from `held`, or from one that anybody may begin with, is approved.

    What is held itself was judged when it came. Only what is to be in force is bounded by the clock.
    """
    data, ground, after = b"", _ground(held), held.policy.version if held else 0
    for step in reversed(_steps(root, newest, files, after, review=ground.broken is not None)):
        data, policy = _policy(step.signed, files)
        if held is None or policy != held.policy:
            ground = _step(root, step, ground, policy, now if step is newest else inf)
    return data


def _ground(held: Held | None) -> Ground:
    return breakglass.ground(held.policy, metadata.read_targets(held.targets).signed) if held else Ground()


def _steps(root: Root, newest: Metadata[Targets], files: Files, after: int, *, review: bool) -> list[Metadata[Targets]]:
    """The newest version and those before it that it may have narrowed, newest first; none up to version `after`.

    With `review`, when that one breaks the glass, the one right after it as well.
    """
    found = [newest]
    while not stands_alone(root, found[-1]) and found[-1].signed.version > after + 1:
        before = _sent(root, found[-1].signed.version - 1, files)
        if before is None:
            break
        found.append(before)
    if review and found[-1].signed.version > after + 1:
        found += filter(None, [_sent(root, after + 1, files)])
    return found


def _sent(root: Root, version: int, files: Files) -> Metadata[Targets] | None:
    data = files.get(f"{version}.targets.json")
    found = metadata.read_targets(data) if data else None
    return found if found and found.signed.version == version and _is_signed(root, found) else None


def missing_approvals(root: Root, targets: Metadata[Targets], *, widens: bool) -> dict[str, int]:
    """How many approvals a version lacks, by group."""
    who, broken = metadata.approvers(root, targets), breakglass.reviewed(targets.signed)
    return Approvals.from_root(root.unrecognized_fields).unmet(
        who, metadata.proposer_of(targets.signed), widens=widens, breaker=broken.by if broken else ""
    )


def _step(root: Root, targets: Metadata[Targets], before: Ground, policy: Policy, now: float) -> Ground:
    """What holds after `policy`. Raises TrustError unless it has the approvals that it takes after `before`."""
    if Incident.of(targets.signed):
        return breakglass.check(root, targets, policy, before, now)
    if before.broken:
        breakglass.check_reviewed(targets.signed, before)
    missing, wider = missing_approvals(root, targets, widens=True), ""
    if missing and not (wider := _wider(before.policy, policy)):
        missing = missing_approvals(root, targets, widens=False)
    if missing:
        what = wider or "is not approved"
        raise TrustError(f"policy {policy.version} {what}; missing approvals: {words(missing)}")
    return Ground(policy)


def _refreshed(trial: Path, files: Files) -> bytes:
    """The newest targets metadata, once TUF's client has found everything good."""
    bootstrap = (trial / "root.json").read_bytes()
    try:
        updater = Updater(str(trial), "", fetcher=_Bundle(_urls(files)), config=_CONFIG, bootstrap=bootstrap)
        updater.refresh()
    except (RepositoryError, DownloadError) as error:
        raise TrustError(f"policy metadata: {error}; the policy in force stays") from None
    return (trial / "targets.json").read_bytes()


def _urls(files: Files) -> Files:
    return {f"/{name}": data for name, data in files.items()}


def _policy(targets: Targets, files: Files) -> tuple[bytes, Policy]:
    """The policy that metadata is about, as bytes and as what they mean."""
    digest = metadata.digest_of(targets)
    data = files.get(policy_file(digest))
    if data is None or sha256(data).digest() != digest:
        raise TrustError(f"policy {targets.version}: its bytes were not sent, or are not those that were approved")
    try:
        policy = canonical.decode(data)
    except PolicyError as error:
        raise TrustError(f"policy {targets.version}: {error}") from None
    if policy.version != targets.version:
        raise TrustError(f"policy {policy.version} was approved as version {targets.version}; propose it again")
    return data, policy


def _wider(base: Policy | None, policy: Policy) -> str:
    """What it lets out that `base` did not, in a few words; empty when it narrows."""
    if base is None:
        return "is the first that this host has"
    wider = next(iter(widenings(base, policy)), None)
    return f"widens version {base.version} ({wider})" if wider else ""

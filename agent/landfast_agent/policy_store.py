"""Policies on disk: the exact bytes that were approved. The newest is what a host enforces after a reboot."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from landfast.identity import sync_directory
from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.model import Policy
from landfast.policy.numbering import NumberedRule, line, numbered
from landfast_agent.errors import Unavailable

_KEPT = 20  # versions, so that rules of recent events can be named


@dataclass(frozen=True)
class Stored:
    """One version. `proof` is the targets metadata that approves it, empty in standalone mode."""

    policy: Policy
    data: bytes
    proof: bytes


class PolicyStore:
    """Files `VERSION.json` in one directory, written durably before the kernel switches.

    Beside each stands `VERSION.targets.json`, its proof, which is written before it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rules_of = lru_cache(maxsize=2)(self._numbered)  # whole policies would be kept with their large groups
        self._names_of = lru_cache(maxsize=_KEPT)(self._named)

    def _path(self, version: int) -> Path:
        return self._directory / f"{version}.json"

    def _proof(self, version: int) -> Path:
        return self._directory / f"{version}.targets.json"

    def versions(self) -> list[int]:
        """Stored versions, newest first."""
        stems = (path.stem for path in self._directory.glob("*.json"))
        return sorted((int(stem) for stem in stems if stem.isdecimal()), reverse=True)

    def read(self, version: int) -> bytes:
        return self._path(version).read_bytes()

    def readable(self) -> Iterator[Stored]:
        """Versions that can be read, newest first; damaged files are passed over, never deleted."""
        for version in self.versions():
            try:
                data = self.read(version)
                policy = canonical.decode(data)
            except (OSError, PolicyError):
                continue
            yield Stored(policy, data, self._proof_of(version))

    def _proof_of(self, version: int) -> bytes:
        try:
            return self._proof(version).read_bytes()
        except OSError:
            return b""

    def newest(self) -> Policy | None:
        found = next(self.readable(), None)
        return found.policy if found else None

    def write(self, version: int, data: bytes, proof: bytes = b"") -> None:
        """Stores a version: on the disk when this returns. Raises Unavailable when the disk does not take it."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            if proof:
                self._write(self._proof(version), proof)
            self._write(self._path(version), data)
        except OSError as error:
            raise Unavailable(f"{self._path(version)}: {error.strerror}: the policy in force stays") from error
        for old in self.versions()[_KEPT:]:
            self.remove(old)

    def _write(self, path: Path, data: bytes) -> None:
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        sync_directory(self._directory)

    def remove(self, version: int) -> None:
        """Takes back a version that the kernel refused, or that is too old to be asked for."""
        self._path(version).unlink(missing_ok=True)
        self._proof(version).unlink(missing_ok=True)

    def policy_of(self, version: int) -> Policy | None:
        """What a version says; None when it is not kept, or damaged."""
        try:
            return canonical.decode(self.read(version))
        except (OSError, PolicyError):
            return None

    def _numbered(self, version: int) -> list[NumberedRule]:
        policy = self.policy_of(version)
        return list(numbered(policy)) if policy else []

    def _named(self, version: int) -> dict[int, str]:
        policy = self.policy_of(version)
        return {bit: name for name, bit in policy.bits().items()} if policy else {}

    def rule_text(self, version: int, number: int) -> str:
        """One line about a rule, for events: thousands of rules may be asked for in a row."""
        rules = self._rules_of(version)
        return line(rules[number - 1]) if 0 < number <= len(rules) else f"rule {number} of policy {version}"

    def class_names(self, version: int) -> Mapping[int, str]:
        """Names of data classes by bit, as of a version; 0, which events without a decision have, is the newest."""
        return self._names_of(version or next(iter(self.versions()), 0))

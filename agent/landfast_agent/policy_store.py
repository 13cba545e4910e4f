"""Policies on disk: the exact bytes that were approved. The newest is what a host enforces after a reboot."""

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from landfast.policy import canonical
from landfast.policy.errors import PolicyError
from landfast.policy.model import Policy
from landfast.policy.numbering import NumberedRule, line, numbered

_KEPT = 20  # versions, so that rules of recent events can be named


class PolicyStore:
    """Files `VERSION.json` in one directory, written durably before the kernel switches."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._rules_of = lru_cache(maxsize=2)(self._numbered)  # whole policies would be kept with their large groups
        self._names_of = lru_cache(maxsize=_KEPT)(self._named)

    def _path(self, version: int) -> Path:
        return self._directory / f"{version}.json"

    def versions(self) -> list[int]:
        """Stored versions, newest first."""
        return sorted((int(path.stem) for path in self._directory.glob("*.json")), reverse=True)

    def read(self, version: int) -> bytes:
        return self._path(version).read_bytes()

    def newest(self) -> tuple[Policy, bytes] | None:
        """The newest version that can be read; damaged files are passed over, never deleted."""
        for version in self.versions():
            try:
                data = self.read(version)
                return canonical.decode(data), data
            except (OSError, PolicyError):
                continue
        return None

    def write(self, version: int, data: bytes) -> None:
        """Stores a version: on the disk when this returns."""
        self._directory.mkdir(parents=True, exist_ok=True)
        partial = self._path(version).with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self._path(version))
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        for old in self.versions()[_KEPT:]:
            self._path(old).unlink()

    def remove(self, version: int) -> None:
        """Takes back a version that the kernel refused."""
        self._path(version).unlink(missing_ok=True)

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

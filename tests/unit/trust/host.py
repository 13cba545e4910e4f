"""A host that is sent bundles."""

import time
from pathlib import Path

import pytest

from landfast.policy import canonical
from landfast.policy.model import Policy
from landfast.trust.errors import TrustError
from landfast.trust.verifier import Held, Verifier
from tests.unit.trust.deployment import Deployment

#: The time at which bundles are sent: tests may run long after they were collected.
NOW = int(time.time())


class Host:
    """An agent's trust, and the policy that it enforces."""

    def __init__(self, directory: Path, deployment: Deployment) -> None:
        self.verifier = Verifier.establish(directory, deployment.root)
        self.held: Held | None = None

    @property
    def policy(self) -> Policy | None:
        return self.held.policy if self.held else None

    def take(self, files: dict[str, bytes], late: float = 0.0) -> int:
        """The version that is in force then; where the clock is late by so many seconds."""
        accepted = self.verifier.accept(files, self.held, NOW - late)
        self.held = Held(canonical.decode(accepted.policy), accepted.targets)
        return self.held.policy.version

    def refuses(self, files: dict[str, bytes], words: str) -> None:
        """That nothing changes, also not what later bundles are judged by."""
        before = self.policy
        with pytest.raises(TrustError, match=words):
            self.take(files)
        assert self.policy is before

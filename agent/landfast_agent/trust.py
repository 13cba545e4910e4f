"""What an enrolled host believes: policies whose approval is proved, for as long as somebody says that they are newest.

Import this module only on an enrolled host: The Update Framework takes memory that standalone mode need not pay.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from landfast.event import printable
from landfast.policy import canonical
from landfast.trust.errors import TrustError
from landfast.trust.verifier import Accepted, Held, Verifier, policy_file
from landfast.v1.policy_pb2 import Policy
from landfast_agent.clock import Clock
from landfast_agent.enforcer import Active, RejectedError
from landfast_agent.errors import Unavailable

_WORDS = 512  # characters of a reason that may be the sender's
_NS = 1_000_000_000

_log = structlog.get_logger()


class Trust:
    """What `enrol` has established in `directory`. Raises Unavailable when it cannot be read."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._verifier, self._clock = Verifier(directory), clock
        try:
            self.root_version, self.fingerprint = self._verifier.root.version, self._verifier.fingerprint
            self._expires = self._verifier.expires()
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"{directory}: {error}: no policy can be believed without it; restore it from a backup, or remove "
                "identity.pem and enrol again"
            ) from error

    def sweep(self) -> None:
        """Removes what an end in the middle of `accept` has left. For the daemon."""
        self._verifier.sweep()

    def accept(self, policy: Policy, held: Active | None) -> Accepted:
        """What a message of the controller proves. Raises RejectedError when that is nothing."""
        if not policy.proof:
            raise RejectedError(f"policy {policy.version} came without a proof that anybody has approved it")
        files = dict(policy.proof)
        for data in filter(None, (policy.canonical, held.data if held else b"")):
            files[policy_file(canonical.digest(data))] = data
        known = Held(held.policy, held.proof) if held else None
        try:
            accepted = self._verifier.accept(files, known, self._clock.now_ns() / _NS)
            self.root_version, self._expires = self._verifier.root.version, self._verifier.expires()
        except TrustError as error:
            raise RejectedError(printable(str(error))[:_WORDS]) from error
        except OSError as error:
            raise Unavailable(f"{self._verifier.directory}: {error.strerror}: see to the disk") from error
        except Exception as error:  # nothing that somebody can send may end the agent
            _log.exception("the proof of a policy cannot be judged")
            raise RejectedError(f"the proof cannot be judged: {printable(repr(error))[:_WORDS]}") from error
        return accepted

    def prove(self, data: bytes, proof: bytes) -> None:
        """Raises RejectedError unless `proof` says that the stored policy `data` was approved."""
        if not proof:
            version = canonical.decode(data).version
            raise RejectedError(f"stored policy {version}: nothing proves that anybody has approved it")
        try:
            self._verifier.prove(data, proof)
        except (OSError, TrustError) as error:
            raise RejectedError(printable(str(error))[:_WORDS]) from error

    @property
    def expires(self) -> datetime | None:
        """Until when the policy that was accepted last is known to be the newest."""
        return self._expires

    def is_stale(self) -> bool:
        """A clock that is set back does not help: see `landfast_agent.clock`."""
        return self._expires is not None and self._clock.now_ns() >= self._expires.timestamp() * _NS

    @property
    def problem(self) -> str:
        """What is wrong while the policy is stale; empty otherwise."""
        return stale_words(self._expires) if self._expires and self.is_stale() else ""

    def state(self) -> dict[str, Any]:
        """What `status` tells."""
        expires = self._expires.isoformat() if self._expires else None
        return {"root": self.root_version, "fingerprint": self.fingerprint, "fresh_until": expires}


def stale_words(expires: datetime) -> str:
    return (
        f"the policy is stale: since {expires:%Y-%m-%d %H:%M} UTC nobody says that it is the newest; look at the "
        "connection to the controller, and at its clock and ours"
    )

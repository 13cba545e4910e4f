"""What hosts are sent of a version: the policy with its proof, or a fresh proof alone."""

from landfast.v1.agent_pb2 import PolicyState, SyncResponse
from landfast.v1.policy_pb2 import Policy, PolicyVersion
from landfast_controller.rollout.placement import Placement
from landfast_controller.store import Store
from landfast_controller.trust import Trust

_KEPT = 16  # messages in memory, for hosts that hold different versions


class Offers:
    """Hosts that are told the same are sent the same message: a fleet is told at once, and each message costs more to
    make than to send.
    """

    def __init__(self, store: Store, placement: Placement, trust: Trust) -> None:
        self._store, self._placement, self._trust = store, placement, trust
        self._made: dict[tuple[object, ...], SyncResponse] = {}

    async def of(self, number: int, loaded: PolicyState, *, is_sent: bool) -> SyncResponse:
        """Version `number` for a host that has `loaded`, with its bytes unless these were sent or are there. Not to be
        altered.
        """
        version = await self._placement.version(number)
        proof = await self._trust.proof(self._store, number, loaded.version)
        whole = not is_sent and not _is_loaded(loaded, version)
        key = (number, whole, *proof.items())
        if key not in self._made:
            while len(self._made) >= _KEPT:
                del self._made[next(iter(self._made))]
            content = version.policy.canonical if whole else b""
            policy = Policy(version=number, canonical=content, digest=version.policy.digest, proof=proof)
            self._made[key] = SyncResponse(policy=policy)
        return self._made[key]


def _is_loaded(loaded: PolicyState, version: PolicyVersion) -> bool:
    same = loaded.version == version.policy.version and loaded.digest == version.policy.digest
    return same and loaded.state == PolicyState.STATE_APPLIED

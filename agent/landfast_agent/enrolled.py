"""Policies from the controller: each is taken only when its approval is proved, whoever sends it."""

import asyncio

from landfast.v1.agent_pb2 import Health, Hello, PolicyState
from landfast.v1.policy_pb2 import Policy
from landfast_agent.enforcer import Enforcer
from landfast_agent.errors import AgentError
from landfast_agent.link import Link, applied
from landfast_agent.slots import Loaded
from landfast_agent.trust import Trust


class EnrolledHost:
    """The daemon as the uplink sees it (`landfast_agent.uplink.Host`). `changing` serialises changes of policy."""

    def __init__(self, link: Link, enforcer: Enforcer, trust: Trust, changing: asyncio.Lock) -> None:
        self._link, self._enforcer, self._trust, self._changing = link, enforcer, trust, changing

    def hello(self) -> Hello:
        return self._link.hello()

    def health(self) -> Health:
        return self._link.health()

    async def on_policy(self, policy: Policy) -> PolicyState:
        """Loads a policy that is approved; what the kernel then holds is read back and reported."""
        async with self._changing:
            try:
                return applied(await asyncio.to_thread(self._take, policy))
            except AgentError as error:
                return PolicyState(version=policy.version, state=PolicyState.STATE_REJECTED, reason=str(error))

    def _take(self, policy: Policy) -> Loaded:
        try:
            accepted = self._trust.accept(policy, self._enforcer.active)
        except AgentError as error:
            self._enforcer.refusals.add(str(error))
            raise
        return self._enforcer.apply(accepted.policy, accepted.targets, stale=self._trust.is_stale())

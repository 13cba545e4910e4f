"""Policies from the controller: each is taken only when its approval is proved, whoever sends it."""

import asyncio

from landfast.trust import breakglass
from landfast.trust.metadata import read_targets
from landfast.v1.agent_pb2 import Health, Hello, PolicyState
from landfast.v1.batch_pb2 import NoticeKind
from landfast.v1.policy_pb2 import Policy
from landfast.v1.shadow_pb2 import Shadow
from landfast_agent.enforcer import Enforcer
from landfast_agent.errors import AgentError
from landfast_agent.link import Link
from landfast_agent.refusals import Notify
from landfast_agent.shadow import Shadows
from landfast_agent.slots import Loaded
from landfast_agent.trust import Trust


class EnrolledHost:
    """The daemon as the uplink sees it (`landfast_agent.uplink.Host`). `changing` serialises changes of policy."""

    def __init__(
        self, link: Link, enforcer: Enforcer, trust: Trust, shadows: Shadows, *, changing: asyncio.Lock, notify: Notify
    ) -> None:
        self._link, self._enforcer, self._trust, self._shadows = link, enforcer, trust, shadows
        self._changing, self._notify = changing, notify

    def hello(self) -> Hello:
        hello = self._link.hello()
        if self._shadows.running:
            hello.shadow.CopyFrom(self._shadows.running)
        return hello

    def health(self) -> Health:
        return self._link.health()

    async def on_policy(self, policy: Policy) -> PolicyState:
        """Loads a policy that is approved; what the kernel then holds is read back and reported."""
        async with self._changing:
            try:
                return self._link.applied(await asyncio.to_thread(self._take, policy))
            except AgentError as error:
                return PolicyState(version=policy.version, state=PolicyState.STATE_REJECTED, reason=str(error))

    def on_shadow(self, shadow: Shadow) -> None:
        """Judges by it from now on, beside what is enforced."""
        self._shadows.want(shadow)

    def _take(self, policy: Policy) -> Loaded:
        held = self._enforcer.active
        try:
            accepted = self._trust.accept(policy, held)
        except AgentError as error:
            self._enforcer.refusals.add(str(error))
            raise
        loaded = self._enforcer.apply(accepted.policy, accepted.targets, stale=self._trust.is_stale())
        told = breakglass.told(read_targets(accepted.targets).signed)
        if told and (held is None or held.data != accepted.policy):
            self._notify(NoticeKind.NOTICE_KIND_BREAK_GLASS, *told)
        return loaded

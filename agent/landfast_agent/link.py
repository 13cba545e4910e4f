"""What the controller hears from this host: what is loaded, proved from the kernel's maps, and how it goes."""

import platform
from importlib.metadata import PackageNotFoundError, version

from landfast.v1.agent_pb2 import Health, Hello, PolicyState
from landfast_agent import loader, tasks
from landfast_agent.enforcer import Enforcer
from landfast_agent.errors import AgentError
from landfast_agent.instance import Instance
from landfast_agent.recorder import boot_id
from landfast_agent.slots import Loaded
from landfast_agent.vitals import Vitals

_STAGES, _PER_STAGE, _LOST = 9, 8, 6  # LF_STAGES, LF_COUNTERS, LF_C_LOST of bpf/landfast.h
_PROBLEMS, _PROBLEM = 16, 256  # how many are told, and how many characters of each


def _version() -> str:
    try:
        return version("landfast")
    except PackageNotFoundError:
        return "0"


class Link:
    """What the daemon can tell of itself; `landfast_agent.enrolled` adds what it takes from the controller."""

    def __init__(self, instance: Instance, enforcer: Enforcer, vitals: Vitals) -> None:
        self._instance, self._enforcer, self._vitals = instance, enforcer, vitals

    def hello(self) -> Hello:
        return Hello(
            agent_version=_version(),
            kernel=platform.release(),
            boot_id=boot_id(),
            hooks=[state.hook.title for state in loader.inspect(self._instance) if not state.problem],
            loaded=self.loaded(),
        )

    def loaded(self) -> PolicyState | None:
        """The state of the policy in force; None before the first."""
        if self._enforcer.active is None:
            return None
        try:
            return self.applied(self._enforcer.verify())
        except AgentError as error:
            return self.altered(str(error))

    def applied(self, loaded: Loaded) -> PolicyState:
        """What the kernel was proved to hold."""
        state = self._state(loaded.version, PolicyState.STATE_APPLIED, loaded)
        state.digest, state.map_digest = loaded.policy_digest, loaded.digest
        return state

    def altered(self, why: str) -> PolicyState:
        """What the kernel holds is not what it should: with the modes that it now has."""
        active = self._enforcer.active
        state = self._state(active.policy.version if active else 0, PolicyState.STATE_ALTERED, self._enforcer.held())
        state.reason = why
        return state

    def _state(self, version: int, state: PolicyState.State.ValueType, loaded: Loaded | None) -> PolicyState:
        made = PolicyState(version=version, state=state)
        if loaded and self._enforcer.active:
            made.enforced.extend(self._enforcer.active.policy.names(loaded.enforced))
            made.audited.extend(self._enforcer.active.policy.names(loaded.audited))
        return made

    def health(self) -> Health:
        counters = self._enforcer.maps.counters()
        return Health(
            tagged_processes=sum(1 for _ in tasks.everything(self._enforcer.maps)),
            counters=counters,
            spooled_events=self._vitals.waiting_events(),
            lost_events=sum(counters[stage * _PER_STAGE + _LOST] for stage in range(_STAGES)),
            problems=[problem[:_PROBLEM] for problem in self._vitals.problems()[:_PROBLEMS]],
        )

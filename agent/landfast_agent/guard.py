"""The guard on system calls, attached only while somebody is tagged or could be: every call of the host pays for it."""

import threading
import time

from landfast_agent import loader, tasks
from landfast_agent.hooks import GUARD
from landfast_agent.instance import Instance
from landfast_agent.maps import Maps

_LINGER_S = 60.0  # longer than tagging takes between asking for the guard and the entry in the map


class Guard:
    """Attaches before the first process is tagged, and as long as the policy selects cgroups.

    A selected service may start while the daemon is dead, so the guard must hang there already.
    """

    def __init__(self, maps: Maps, instance: Instance) -> None:
        self._maps, self._instance = maps, instance
        self._lock = threading.Lock()
        self._wanted_at = 0.0

    def attach(self) -> None:
        """To be called before anybody is tagged. Raises KernelError when the kernel does not let us."""
        with self._lock:
            self._wanted_at = time.monotonic()
            if not self._maps.control.get("guarded") and loader.attach(GUARD, self._instance):
                self._maps.control.set("guarded", 1)

    def settle(self) -> None:
        """Attaches or detaches as things stand. To be called now and then."""
        if self._is_needed():
            self.attach()
            return
        with self._lock:
            if self._maps.control.get("guarded") and time.monotonic() - self._wanted_at > _LINGER_S:
                self._maps.control.set("guarded", 0)
                loader.detach(GUARD, self._instance)

    def _is_needed(self) -> bool:
        return bool(self._maps.control.get("selecting")) or any(True for _ in tasks.everything(self._maps))

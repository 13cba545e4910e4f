"""What stops tagged processes from slipping past the cgroup hooks: programs of BPF LSM, or without it a guard on system
calls; and what counts what they receive. Attached only while somebody is tagged or could be: every call of the host
pays for it.
"""

import os
import threading
import time
from collections.abc import Iterator

from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import libbpf, loader, tasks
from landfast_agent.difference import Difference
from landfast_agent.hooks import FLOW_HOOKS, GUARD_HOOKS, LSM_HOOKS, LSM_SPLICE, Hook
from landfast_agent.instance import Instance
from landfast_agent.maps import Maps

_LSM = (*LSM_HOOKS, LSM_SPLICE)
_ALL = ((_LSM, "lsm"), (GUARD_HOOKS, "guarded"), (FLOW_HOOKS, "flows"))  # and the flags that tell the programs
_LINGER_S = 60.0  # longer than tagging takes between asking for the guard and the entry in the map


class Guard:
    """Attaches before the first process is tagged, and as long as the policy selects cgroups.

    A selected service may start while the daemon is dead, so the guard must hang there already.
    """

    def __init__(self, maps: Maps, instance: Instance) -> None:
        self._maps, self._instance = maps, instance
        self._lock = threading.Lock()
        self._wanted_at = 0.0
        self._held: dict[Hook, int] = {}  # descriptors of links, so that removing a pin ends nothing

    def attach(self) -> None:
        """To be called before anybody is tagged. Raises KernelError when the kernel does not let us."""
        with self._lock:
            self._wanted_at = time.monotonic()
            self._attach(FLOW_HOOKS, "flows")
            if loader.offers_lsm(self._instance):
                self._attach(_LSM, "lsm")
                self._detach(GUARD_HOOKS, "guarded")  # of a version without LSM programs
            else:
                self._attach(GUARD_HOOKS, "guarded")

    def settle(self) -> None:
        """Attaches or detaches as things stand. To be called now and then."""
        if self._is_needed():
            self.attach()
            return
        with self._lock:
            if time.monotonic() - self._wanted_at > _LINGER_S:
                for hooks, flag in _ALL:
                    self._detach(hooks, flag)

    def _attach(self, hooks: tuple[Hook, ...], flag: str) -> None:
        if self._maps.control.get(flag):
            return
        attached = [loader.attach(hook, self._instance) for hook in hooks]
        if any(attached):
            self._maps.control.set(flag, 1)

    def _detach(self, hooks: tuple[Hook, ...], flag: str) -> None:
        if self._maps.control.get(flag):
            self._maps.control.set(flag, 0)
            for hook in hooks:
                self._remove(hook)

    def _remove(self, hook: Hook) -> None:
        loader.detach(hook, self._instance)
        self._let_go(hook)

    def differences(self) -> Iterator[Difference]:
        """Links that are not where they must be. Holds those that are, from the first look on."""
        with self._lock:
            for hooks, flag in _ALL:
                if self._maps.control.get(flag):
                    yield from filter(None, map(self._difference, hooks))

    def _difference(self, hook: Hook) -> Difference | None:
        found = loader.inspect_hook(hook, self._instance)
        if found.absence == loader.NOT_OFFERED:
            return None
        if found.problem or not found.prog_id:
            what = f"{hook.title} {found.problem or 'is not attached'}"
            return Difference(NoticeKind.NOTICE_KIND_HOOKS_ALTERED, what, lambda: self._attach_anew(hook))
        if hook not in self._held:
            self._held[hook] = libbpf.obj_get(self._instance.pins / "links" / hook.program)
        return None

    def _attach_anew(self, hook: Hook) -> None:
        with self._lock:
            loader.attach(hook, self._instance)
            self._let_go(hook)

    def _let_go(self, hook: Hook) -> None:
        if hook in self._held:
            os.close(self._held.pop(hook))

    def _is_needed(self) -> bool:
        return bool(self._maps.control.get("selecting")) or any(True for _ in tasks.everything(self._maps))

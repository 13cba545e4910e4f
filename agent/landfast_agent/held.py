"""Descriptors of everything that is pinned: as long as the daemon lives, removing a pin ends nothing.

Each object has a number that the kernel never gives twice. A pin that is gone, or that leads to an object of another
number, was altered, and the object that is held is pinned anew; a link that was detached, or that was given another
program, gets its own back.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import cgroups, libbpf, loader, pins
from landfast_agent.difference import Difference
from landfast_agent.errors import KernelError
from landfast_agent.hooks import HOOKS, Hook
from landfast_agent.instance import Instance

_IDENTITY: dict[str, Callable[[int], int]] = {
    "maps": lambda fd: libbpf.map_info(fd).id,
    "programs": lambda fd: libbpf.prog_info(fd).id,
    "links": lambda fd: libbpf.link_info(fd).id,
}


class Held:
    """What this instance has pinned, since `__init__`, which must be called after it was loaded."""

    def __init__(self, instance: Instance) -> None:
        self._instance, self._pins = instance, instance.pins
        self._fds: dict[Path, int] = {}
        for pin in self._due():
            self._fds[pin] = libbpf.obj_get(pin)

    def _due(self) -> Iterator[Path]:
        """What stays pinned for as long as it is loaded. Links that come and go are their owners' to hold."""
        steady = {hook.program for hook in HOOKS if not hook.on_demand}
        yield from (pin for pin in (self._pins / "links").iterdir() if pin.name in steady)
        yield from (self._pins / "programs").iterdir()
        yield from (self._pins / "maps").iterdir()

    @property
    def directories(self) -> list[Path]:
        """Where pins come and go."""
        return [self._pins.parent, self._pins, *(self._pins / directory for directory in (*_IDENTITY, "devices"))]

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def differences(self) -> list[Difference]:
        """What is not as it was loaded. Takes about a millisecond."""
        moved = pins.moved(self._instance)
        if moved:
            return [_hook_altered(f"pins were moved to {moved}", partial(pins.bring_back, moved, self._instance))]
        return [*self._missing(), *self._links()]  # a link is attached anew by its program's pin

    def _links(self) -> Iterator[Difference]:
        for hook in (hook for hook in HOOKS if self._pins / "links" / hook.program in self._fds):
            found = libbpf.link_info(self._link(hook))
            if hook.is_cgroup and found.cgroup_id != cgroups.id_of(cgroups.root()):
                yield _hook_altered(f"{hook.title} was detached", partial(self._attach, hook))
            elif found.prog_id != libbpf.prog_info(self._program(hook)).id:
                what = f"{hook.title} was given program {found.prog_id}"
                yield _hook_altered(what, partial(self._give_back, hook))

    def _missing(self) -> Iterator[Difference]:
        for pin, fd in self._fds.items():
            problem = _pin_problem(pin, fd)
            if problem:
                kind = NoticeKind.NOTICE_KIND_MAPS_ALTERED
                if pin.parent.name != "maps":
                    kind = NoticeKind.NOTICE_KIND_HOOKS_ALTERED
                yield Difference(kind, f"pin {pin.parent.name}/{pin.name} {problem}", partial(self._pin, pin))

    def _link(self, hook: Hook) -> int:
        return self._fds[self._pins / "links" / hook.program]

    def _program(self, hook: Hook) -> int:
        return self._fds[self._pins / "programs" / hook.program]

    def _attach(self, hook: Hook) -> None:
        pin = self._pins / "links" / hook.program
        loader.attach(hook, self._instance)
        os.close(self._fds[pin])
        self._fds[pin] = libbpf.obj_get(pin)

    def _give_back(self, hook: Hook) -> None:
        libbpf.link_update(self._link(hook), self._program(hook))

    def _pin(self, pin: Path) -> None:
        pins.make(pin.parent, self._instance)
        loader.replace_pin(self._fds[pin], pin)


def _hook_altered(what: str, mend: Callable[[], None]) -> Difference:
    return Difference(NoticeKind.NOTICE_KIND_HOOKS_ALTERED, what, mend)


def _pin_problem(pin: Path, fd: int) -> str:
    """Why the pin does not lead to the object at `fd`; empty when it does."""
    identity = _IDENTITY[pin.parent.name]
    try:
        found = libbpf.obj_get(pin)
    except KernelError as error:
        return "is gone" if not pin.exists() else str(error)
    try:
        return "" if identity(found) == identity(fd) else f"leads to another object, number {identity(found)}"
    except KernelError:  # an object of another kind
        return "leads to an object of another kind"
    finally:
        os.close(found)

"""A program at the egress of one network link by a tcx link (Linux 6.6), pinned below `devices/`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landfast_agent import libbpf, pins
from landfast_agent.instance import Instance

_TCX_EGRESS = 47
_FIRST = 1 << 3  # BPF_F_BEFORE, with nobody named: other programs may redirect, and so end the chain


def attached(instance: Instance, index: int) -> int:
    """Id of our program at the network link; 0 when there is none."""
    with _link(_pin(instance, index)) as link:
        info = libbpf.link_info(link) if link else None
    return info.prog_id if info and info.ifindex == index else 0


def attach(instance: Instance, index: int, program: int) -> None:
    """Attaches a program, or puts it in place of ours. Raises KernelError: EINVAL where the kernel has no tcx."""
    pin = _pin(instance, index)
    pins.make(pin.parent, instance)
    with _link(pin) as link:
        if link and libbpf.link_info(link).ifindex == index:
            libbpf.link_update(link, program)
            return
    pin.unlink(missing_ok=True)
    made = libbpf.link_create(program, index, _TCX_EGRESS, _FIRST)
    try:
        libbpf.obj_pin(made, pin)
    finally:
        os.close(made)


def forget(instance: Instance, present: set[int]) -> None:
    """Removes the pins of network links that are gone."""
    directory = instance.pins / "devices"
    for name in os.listdir(directory) if directory.is_dir() else []:
        if int(name) not in present:
            _pin(instance, int(name)).unlink(missing_ok=True)


def _pin(instance: Instance, index: int) -> Path:
    return instance.pins / "devices" / str(index)


@contextmanager
def _link(pin: Path) -> Iterator[int | None]:
    """Descriptor of a pinned link; None when there is none."""
    if not pin.exists():
        yield None
        return
    link = libbpf.obj_get(pin)
    try:
        yield link
    finally:
        os.close(link)

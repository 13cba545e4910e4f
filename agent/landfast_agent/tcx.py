"""A program at the egress of one network link by a tcx link (Linux 6.6), which is pinned.

A pinned link ends with its network link, and no earlier: its pin stays, and leads nowhere.
"""

import errno
import os
from pathlib import Path

from landfast_agent import libbpf
from landfast_agent.errors import KernelError

_TCX_EGRESS = 47
_FIRST = 1 << 3  # BPF_F_BEFORE, with nobody named: other programs may redirect, and so end the chain


def attached(pin: Path, index: int) -> int:
    """Id of the program at the network link; 0 when there is none."""
    if not pin.exists():
        return 0
    link = libbpf.obj_get(pin)
    try:
        info = libbpf.link_info(link)
    finally:
        os.close(link)
    return info.prog_id if info.ifindex == index else 0


def attach(pin: Path, index: int, program: int) -> int:
    """Attaches a program to a link of this namespace, or puts it in place of ours. The descriptor of the tcx link.

    Raises KernelError: EINVAL where the kernel has no tcx.
    """
    if pin.exists():
        link = libbpf.obj_get(pin)
        if libbpf.link_info(link).ifindex == index:
            libbpf.link_update(link, program)
            return link
        os.close(link)
        pin.unlink()
    made = libbpf.link_create(program, index, _TCX_EGRESS, _FIRST)
    libbpf.obj_pin(made, pin)
    return made


def renew(directory: Path, program: int) -> None:
    """Gives a new program to all that is pinned."""
    for pin in directory.glob("*"):
        link = libbpf.obj_get(pin)
        try:
            libbpf.link_update(link, program)
        except KernelError as error:
            if error.errno != errno.ENOLINK:  # its network link is gone
                raise
        finally:
            os.close(link)


def forget(directory: Path) -> None:
    """Removes pins whose network link is gone."""
    for pin in directory.glob("*"):
        link = libbpf.obj_get(pin)
        try:
            if not libbpf.link_info(link).ifindex:
                pin.unlink()
        finally:
            os.close(link)

"""The backstop at the host's network links: bpf/device.c on every link but loopback, also on those that come later.

Not on physical links alone: who sends a packet socket's frame is known at the first link that the frame passes, which
may be a VLAN or a bridge. Links of other network namespaces are out of reach; what comes from there to a link of ours
has lost its socket.
"""

import asyncio
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType

import structlog

from landfast_agent import addresses, libbpf, tcx
from landfast_agent.errors import KernelError
from landfast_agent.hooks import DEVICE
from landfast_agent.instance import Instance

_RTMGRP_LINK = 1  # uapi/linux/rtnetlink.h
_SIOCGIFFLAGS, _IFF_LOOPBACK = 0x8913, 0x8
_REQUEST = struct.Struct("16sH22x")  # struct ifreq: name, flags
_AGAIN_S = 5.0

_log = structlog.get_logger()


@dataclass(frozen=True)
class DeviceState:
    """A network link of this host; `problem` tells why the backstop does not hang there."""

    index: int
    name: str
    problem: str = ""


def present() -> dict[int, str]:
    """Network links of our namespace but loopback: names by index."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return {index: name for index, name in socket.if_nameindex() if not _is_loopback(any_socket, name)}


def _is_loopback(any_socket: socket.socket, name: str) -> bool:
    try:
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _REQUEST.pack(name.encode(), 0))
    except OSError:  # gone, or renamed: netlink tells again
        return True
    return bool(_REQUEST.unpack(answer)[1] & _IFF_LOOPBACK)


def synchronise(instance: Instance) -> None:
    """Attaches the program that is loaded to every link that lacks it, and forgets links that are gone.

    Raises KernelError about the first link where that cannot be done, with the others done.
    """
    links, problems = present(), []
    with _program(instance) as program:
        for index, name in links.items():
            try:
                _attach(instance, index, program)
            except KernelError as error:
                if error.errno != errno.ENODEV:  # gone meanwhile
                    problems.append(KernelError(f"watch the network link {name}", error.errno))
    tcx.forget(instance, set(links))
    for problem in problems:
        raise problem


def inspect(instance: Instance) -> list[DeviceState]:
    """What hangs at each link of this host."""
    with _program(instance) as program:
        wanted = libbpf.prog_info(program).id
    return [
        DeviceState(index, name, "" if _attached(instance, index) == wanted else "not watched")
        for index, name in present().items()
    ]


def detach(instance: Instance) -> None:
    """Takes away what no pin holds: the filters of kernels without tcx."""
    if any(not tcx.attached(instance, index) for index in present()):
        _filters().remove(instance)


def _attached(instance: Instance, index: int) -> int:
    return tcx.attached(instance, index) or _filters().attached(instance, index)


def _attach(instance: Instance, index: int, program: int) -> None:
    prog_id = libbpf.prog_info(program).id
    if tcx.attached(instance, index) == prog_id:
        return
    try:
        tcx.attach(instance, index, program)
    except KernelError as error:
        if error.errno != errno.EINVAL:
            raise
        if _filters().attached(instance, index) != prog_id:
            _filters().attach(instance, index, program, prog_id)


def _filters() -> ModuleType:
    """Imported where there is no tcx: pyroute2 takes 14 MiB."""
    from landfast_agent import filters

    return filters


@contextmanager
def _program(instance: Instance) -> Iterator[int]:
    """Descriptor of the program that is loaded."""
    program = libbpf.obj_get(instance.pins / "programs" / DEVICE.program)
    try:
        yield program
    finally:
        os.close(program)


async def follow(instance: Instance, ended: Callable[[], bool]) -> None:
    """Keeps the backstop at every link until `ended()`: at those that come, and where somebody took it away."""
    loop, changed, said = asyncio.get_running_loop(), asyncio.Event(), ""
    with _watcher() as netlink:
        loop.add_reader(netlink, changed.set)
        try:
            while not ended():
                said = await asyncio.to_thread(_try, instance, said)
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _AGAIN_S)
                addresses.drain(netlink)
                changed.clear()
        finally:
            loop.remove_reader(netlink)


def _try(instance: Instance, said: str) -> str:
    """What is wrong; logged unless that was said before."""
    try:
        synchronise(instance)
    except KernelError as error:
        if str(error) != said:
            _log.error(str(error))
        return str(error)
    return ""


def _watcher() -> socket.socket:
    """A netlink socket that becomes readable whenever a link comes, goes or changes."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    netlink.bind((0, _RTMGRP_LINK))
    return netlink

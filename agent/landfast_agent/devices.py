"""The backstop at the network links of one namespace: bpf/device.c on every link but loopback.

Not on physical links alone: who sends a packet socket's frame is known at the first link that the frame passes, which
may be a VLAN or a bridge. A link of another namespace is too late: on its way there a frame loses its socket.
"""

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import psutil

from landfast_agent import libbpf, netns, pins, tcx
from landfast_agent.errors import KernelError
from landfast_agent.hooks import DEVICE
from landfast_agent.instance import Instance
from landfast_agent.loader import replace_pin

_RTMGRP_LINK, _RTMGRP_TC = 0x1, 0x8  # uapi/linux/rtnetlink.h
_SIOCGIFFLAGS, _IFF_LOOPBACK = 0x8913, 0x8
_REQUEST = struct.Struct("16sH22x")  # struct ifreq: name, flags
_FILTER = -1  # in place of a tcx link's descriptor


@dataclass(frozen=True)
class DeviceState:
    """A network link; `problem` tells why the backstop does not hang there, `namespace` is the inode of its own."""

    index: int
    name: str
    namespace: int
    problem: str = ""

    @property
    def title(self) -> str:
        return title(self.name, self.namespace)


@dataclass(frozen=True)
class Alteration:
    """Something that was done to the backstop at a link that it hung at before."""

    index: int
    name: str
    what: str


def title(name: str, namespace: int) -> str:
    """`network link eth0 of namespace 4026531840`."""
    return f"network link {name} of namespace {namespace}"


def present() -> dict[int, str]:
    """Network links of the calling thread's namespace but loopback: names by index."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        return {index: name for index, name in socket.if_nameindex() if not _is_loopback(any_socket, name)}


def _is_loopback(any_socket: socket.socket, name: str) -> bool:
    try:
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, _REQUEST.pack(name.encode(), 0))
    except OSError:  # gone, or renamed: netlink tells again
        return True
    return bool(_REQUEST.unpack(answer)[1] & _IFF_LOOPBACK)


class Devices:
    """The links of one namespace, which is kept alive until `close`. Only one thread may use it at a time.

    `program` is a descriptor of what is to hang there.
    """

    def __init__(self, instance: Instance, program: int, namespace: Path) -> None:
        self._instance, self._program, self._wanted = instance, program, libbpf.prog_info(program).id
        with netns.opened(namespace) as fd:
            self.netlink, self._cookie = netns.inside(fd, lambda: (_watcher(), netns.here()))
            self._namespace = os.dup(fd)
        self._held: dict[int, int] = {}  # links that the backstop hangs at, with descriptors: a pin alone may go
        self._told = self._doubted = True  # what the kernel has told is still to be looked at: links; filters

    def close(self) -> None:
        """Lets go. The backstop stays at each link for as long as that lives."""
        self.netlink.close()
        os.close(self._namespace)
        for index in list(self._held):
            self._let_go(index)

    def listen(self) -> None:
        """Takes notice of what the kernel has told since the last time."""
        while True:
            try:
                self.netlink.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:  # an overrun: everything is looked at anyway
                pass
            self._told = self._doubted = True

    def follow(self) -> None:
        """Hangs the backstop at links that have come. Raises KernelError about one where it cannot, others done."""
        if not self._told:
            return
        for problem in netns.inside(self._namespace, self._follow):
            raise problem
        self._told = False

    def _follow(self) -> list[KernelError]:
        links, problems = present(), []
        for index in self._held.keys() - links.keys():
            self._pin(index).unlink(missing_ok=True)
            self._let_go(index)
        for index in links.keys() - self._held.keys():
            try:
                self._held[index] = self._attach(index)
            except KernelError as error:
                if error.errno != errno.ENODEV:  # gone meanwhile
                    problems.append(KernelError(f"watch the network link {links[index]}", error.errno))
        return problems

    def alterations(self) -> list[Alteration]:
        """What somebody has done to it; a link that has gone is none. Costs a few system calls for each link."""
        if not any(map(self._problem, self._held)):
            return []
        found = netns.inside(self._namespace, lambda: list(self._altered()))
        self._doubted = bool(found)
        return found

    def _altered(self) -> Iterator[Alteration]:
        found = {index: what for index in self._held if (what := self._problem_here(index))}
        names = present()
        yield from (Alteration(index, names[index], what) for index, what in found.items() if index in names)

    def mend(self, index: int) -> None:
        """Hangs it at a link again, without a gap where it still hangs."""
        link = self._held.get(index)
        if link is None:
            return  # the network link has gone meanwhile
        if link != _FILTER and libbpf.link_info(link).ifindex == index:
            libbpf.link_update(link, self._program)
            pins.make(self._instance.pins / "devices", self._instance)
            replace_pin(link, self._pin(index))
            return
        self._let_go(index)
        self._told = True  # should it fail
        self._held[index] = netns.inside(self._namespace, lambda: self._attach(index))

    def _problem(self, index: int) -> str:
        """What is wrong, or may be: filters are looked at from within the namespace, when the kernel has told."""
        link = self._held[index]
        if link == _FILTER:
            return "may have lost its filter" if self._doubted else ""
        info = libbpf.link_info(link)
        if info.ifindex != index:
            return "lost the backstop"
        if info.prog_id != self._wanted:
            return f"was given program {info.prog_id}"
        return "" if tcx.attached(self._pin(index), index) == self._wanted else "lost its pin"

    def _problem_here(self, index: int) -> str:
        if self._held[index] != _FILTER:
            return self._problem(index)
        return "" if _filters().attached(self._instance, index) == self._wanted else "lost its filter"

    def _attach(self, index: int) -> int:
        """A descriptor to hold. Also where it hangs already, as after a restart of the agent."""
        pins.make(self._instance.pins / "devices", self._instance)
        try:
            return tcx.attach(self._pin(index), index, self._program)
        except KernelError as error:
            if error.errno != errno.EINVAL:
                raise
        if _filters().attached(self._instance, index) != self._wanted:
            _filters().attach(self._instance, index, self._program, self._wanted)
        return _FILTER

    def _pin(self, index: int) -> Path:
        return pin_of(self._instance, self._cookie, index)

    def _let_go(self, index: int) -> None:
        link = self._held.pop(index)
        if link != _FILTER:
            os.close(link)


def pin_of(instance: Instance, cookie: int, index: int) -> Path:
    """Where the tcx link at a network link is pinned: numbers of network links repeat in other namespaces."""
    return instance.pins / "devices" / f"{cookie}-{index}"


def inspect(instance: Instance, namespaces: dict[int, Path]) -> list[DeviceState]:
    """What hangs at each link of these namespaces."""
    found: list[DeviceState] = []
    program = program_of(instance)
    try:
        wanted = libbpf.prog_info(program).id
    finally:
        os.close(program)
    for inode, path in namespaces.items():
        with suppress(FileNotFoundError, ProcessLookupError), netns.opened(path) as fd:
            found += netns.inside(fd, partial(_states, instance, inode, wanted))
    return found


def _states(instance: Instance, inode: int, wanted: int) -> list[DeviceState]:
    cookie = netns.here()
    return [
        DeviceState(index, name, inode, "" if _attached(instance, cookie, index) == wanted else "not watched")
        for index, name in present().items()
    ]


def _attached(instance: Instance, cookie: int, index: int) -> int:
    """Id of our program at a link of this namespace; 0 when there is none."""
    return tcx.attached(pin_of(instance, cookie, index), index) or _filters().attached(instance, index)


def detach(instance: Instance) -> None:
    """Takes away what no pin holds: the filters of kernels without tcx, in the namespaces of all processes."""
    if any((instance.pins / "devices").glob("*")):
        return
    for path in _everywhere().values():
        with suppress(FileNotFoundError, ProcessLookupError), netns.opened(path) as fd:
            netns.inside(fd, lambda: _filters().remove(instance))


def _everywhere() -> dict[int, Path]:
    found: dict[int, Path] = {}
    for pid in psutil.pids():
        with suppress(PermissionError):  # a process that not even root may look into
            found |= netns.of_threads([pid])
    return found


def _filters() -> ModuleType:
    """Imported where there is no tcx: pyroute2 takes 14 MiB."""
    from landfast_agent import filters

    return filters


def program_of(instance: Instance) -> int:
    """A descriptor of the program that is loaded."""
    return libbpf.obj_get(instance.pins / "programs" / DEVICE.program)


def _watcher() -> socket.socket:
    """A netlink socket that becomes readable whenever a link or a filter comes, goes or changes."""
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    netlink.bind((0, _RTMGRP_LINK | _RTMGRP_TC))
    return netlink

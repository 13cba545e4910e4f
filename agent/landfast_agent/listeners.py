"""Who listens where a tagged process was refused on its own host, and with which classes.

The kernel judges a local destination by the socket that would receive; a refusal is of use only to somebody who learns
whose socket that is. Looking that up takes a walk through the descriptors of all processes, so it is done on a budget:
a flood of refusals slows the recording by a few per cent, and leaves the rest of it unexplained.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from landfast.event import Event, packed, printable
from landfast.v1.batch_pb2 import Listener, Process
from landfast_agent import cgroups, sockets
from landfast_agent.cgroup_names import unit_of
from landfast_agent.errors import AgentError
from landfast_agent.maps import Maps
from landfast_agent.sock_diag import SockDiag

_HERE = Path("/proc/self/ns/net")
_FRESH_S = 5.0  # an answer is taken for this long
_REMEMBERED = 1024
_SHARE, _SAVED_S = 0.05, 0.5  # of the time, in seconds of the recorder's CPU; as much as that may be saved up


@dataclass(frozen=True)
class Holder:
    """The socket that receives, and a process that holds it; `pid` 0 when none could be found."""

    pid: int
    name: str
    unit: str
    tags: int

    def __str__(self) -> str:
        """`redis-server[812] of redis.service`."""
        who = f"{self.name}[{self.pid}]" if self.pid else "a socket that no process holds"
        return f"{who} of {self.unit}" if self.unit else who


_Key = tuple[int, bytes, int, int]  # network namespace, address, port, protocol


def find(maps: Maps, address: bytes, port: int, protocol: int, namespace: Path = _HERE) -> Holder | None:
    """Who receives what is sent to an address (16 bytes) of this host; None when nobody does.

    Raises OSError or AgentError when the namespace is gone, or the kernel cannot tell.
    """
    with closing(SockDiag(namespace)) as diag:
        receiver = diag.receiver(address, port, protocol)
    if receiver is None:
        return None
    for pid, fd in _holders(receiver.inode):
        with suppress(OSError, AgentError):
            return Holder(pid, _name(pid), unit_of(cgroups.of_process(pid)), sockets.tags_at(maps, pid, fd))
    return Holder(0, "", "", 0)


def _holders(inode: int) -> Iterator[tuple[int, int]]:
    """Processes, from the lowest number, with their descriptor of a socket."""
    wanted = f"socket:[{inode}]"
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()):
        with suppress(OSError):
            yield from ((pid, fd) for fd in map(int, os.listdir(f"/proc/{pid}/fd")) if _link(pid, fd) == wanted)


def _link(pid: int, fd: int) -> str:
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/{fd}")
    return ""


def _name(pid: int) -> str:
    return printable(Path(f"/proc/{pid}/comm").read_text(errors="backslashreplace").rstrip("\n"))


class Listeners:
    """Explains refusals. Not for several threads."""

    def __init__(self, maps: Maps) -> None:
        self._maps = maps
        self._known: OrderedDict[_Key, tuple[float, Holder | None]] = OrderedDict()
        self._budget_s, self._asked = _SAVED_S, time.monotonic()

    def explain(self, event: Event, process: Process) -> Listener | None:
        """Who listens where the event was refused; None when there is no time, or no way, to tell."""
        assert event.remote is not None
        remote, namespace = packed(event.remote), _namespace(event, process)
        try:
            key = namespace.stat().st_ino, remote, event.remote_port, event.protocol
            holder = self._recall(key) if self._remembers(key) else self._look(key, namespace)
        except (OSError, AgentError, TimeoutError):
            return None
        found = Listener(
            sender=event.tgid, remote=remote, port=event.remote_port, protocol=event.protocol, present=bool(holder)
        )
        if holder:
            found.tgid, found.comm, found.unit, found.tags = holder.pid, holder.name, holder.unit, holder.tags
        return found

    def _remembers(self, key: _Key) -> bool:
        return key in self._known and self._known[key][0] > time.monotonic()

    def _recall(self, key: _Key) -> Holder | None:
        return self._known[key][1]

    def _look(self, key: _Key, namespace: Path) -> Holder | None:
        """Raises TimeoutError when the budget is used up."""
        now, begin = time.monotonic(), time.thread_time()
        self._budget_s = min(self._budget_s + _SHARE * (now - self._asked), _SAVED_S)
        self._asked = now
        if self._budget_s <= 0:
            raise TimeoutError
        try:
            holder = find(self._maps, *key[1:], namespace)
        finally:
            self._budget_s -= time.thread_time() - begin
        self._known[key] = time.monotonic() + _FRESH_S, holder
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return holder


def _namespace(event: Event, process: Process) -> Path:
    """The network namespace of the refused; when it has ended, that of its cgroup's others; else ours.

    The root cgroup does not count: whoever is in it has nothing else in common.
    """
    others = cgroups.processes(cgroups.root() / process.cgroup.lstrip("/")) if process.cgroup.strip("/") else []
    candidates = (Path(f"/proc/{pid}/ns/net") for pid in (event.tgid, *others))
    return next((path for path in candidates if path.exists()), _HERE)

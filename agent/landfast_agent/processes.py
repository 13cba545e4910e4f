"""Who made an event: executable, user, unit, container of an execution, also when it is over.

An execution is (tgid, image). While it lasts /proc tells about it, and the kernel's task map tells whether what /proc
told is still about this execution: asked afterwards, so that an exec or a recycled number in between is noticed. When
it is over there is what the kernel kept of it in the map `images`.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from landfast.event import Event, printable
from landfast.v1.batch_pb2 import Process
from landfast_agent import libbpf, tasks
from landfast_agent.cgroup_names import CgroupNames, container_of, unit_of
from landfast_agent.layout import IMAGE
from landfast_agent.maps import Maps
from landfast_agent.users import Users

_REMEMBERED = 4096
_CAP = 256  # characters of a text; units and paths may be longer, a batch has room for many processes
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class _Facts:
    """What is known of an execution, from whichever source."""

    parent: int = 0
    comm: str = ""
    executable: str = ""
    command_line: str = ""
    start_ns: int = 0  # CLOCK_BOOTTIME, in ticks of 10 ms: when the process was forked


class Processes:
    """Describes executions. Not for several threads."""

    def __init__(self, maps: Maps, *, command_lines: bool = False) -> None:
        self._maps, self._command_lines = maps, command_lines
        self._known: OrderedDict[tuple[int, int], Process] = OrderedDict()
        self._cgroups, self._users = CgroupNames(), Users()

    def describe(self, event: Event) -> Process:
        """The execution that made the event. An untagged process (image 0) is looked up each time."""
        key = event.tgid, event.image
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        process = self._look_up(event)
        if event.image:
            self._remember(key, process)
        return process

    def _remember(self, key: tuple[int, int], process: Process) -> None:
        self._known[key] = process
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _look_up(self, event: Event) -> Process:
        facts = self._living(event) or self._kept(event.image)
        cgroup = self._cgroups.path(event.cgroup_id, event.tgid)
        return Process(
            tgid=event.tgid,
            image=event.image,
            parent=facts.parent,
            comm=_text(facts.comm or event.comm),
            executable=_text(facts.executable),
            command_line=_text(facts.command_line),
            uid=event.uid,
            user=_text(self._users.name(event.uid)),
            cgroup=_text(cgroup),
            unit=_text(unit_of(cgroup)),
            container=container_of(cgroup),
            canary=tasks.is_canary(self._maps, event.image),
        )

    def _living(self, event: Event) -> _Facts | None:
        """What /proc tells, if it is about this execution."""
        try:
            facts = _read(Path("/proc", str(event.tgid)), self._command_lines)
        except (OSError, ValueError):  # gone, or going
            return None
        if not event.image:
            return facts if facts.start_ns <= event.time_ns else None
        task = tasks.get(self._maps, event.tgid)
        if not task or task.image != event.image:
            return None
        # In the middle of an exec /proc tells of the new program already, and the task map still of the old one.
        return facts if self._kept(event.image).comm in ("", facts.comm) else None

    def _kept(self, image: int) -> _Facts:
        value = libbpf.map_lookup(self._maps.fd("images"), image.to_bytes(8, "little"), IMAGE.size)
        if value is None:
            return _Facts()
        *_, comm, file = IMAGE.unpack(value)
        return _Facts(comm=_decoded(comm), executable=_decoded(file))


def _read(directory: Path, command_lines: bool) -> _Facts:
    """Raises OSError or ValueError when the process is gone."""
    stat = (directory / "stat").read_bytes()
    comm, _, rest = stat.partition(b"(")[2].rpartition(b")")
    fields = rest.split()
    return _Facts(
        parent=int(fields[1]),
        comm=_decoded(comm),
        executable=os.fsdecode(os.readlink(directory / "exe")),
        command_line=_command_line(directory) if command_lines else "",
        start_ns=int(fields[19]) * _TICK_NS,
    )


def _command_line(directory: Path) -> str:
    with (directory / "cmdline").open("rb") as file:
        return _decoded(file.read(4 * _CAP).rstrip(b"\0").replace(b"\0", b" "))


def _decoded(raw: bytes) -> str:
    """A C string, or one without its end."""
    return raw.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _text(text: str) -> str:
    """Fit for a batch and for a terminal."""
    safe = printable(text)
    return safe if len(safe) <= _CAP else safe[: _CAP - 1] + "…"

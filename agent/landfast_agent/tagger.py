"""Tagging what already runs: a process tree, the processes of a selected cgroup, and the sockets they hold.

Once a process is in the kernel's map its children inherit, so tagging a tree is a race only against forks that
happened just before. It is run again until a whole pass finds nobody new. Middle generations may be dead by then:
the kernel's record of recent forks tells whose children their children are. Against chains of processes that fork and
end at once a look from here is always too late: while a hunt is on, the kernel itself looks, at every fork, whether an
ancestor was found. Who looks so late that forks are forgotten by then may have lost somebody: so a hunt goes before
everything else on the host, and says so when that was not enough.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from landfast_agent import cgroups, netns, sockets, tasks, unjudged
from landfast_agent.errors import BadInput, Refused, Unavailable
from landfast_agent.guard import Guard
from landfast_agent.lineage import Lineage
from landfast_agent.lockout import Lockout
from landfast_agent.maps import Maps
from landfast_agent.tasks import Birth, Task
from landfast_agent.unjudged import Unjudged

_PASSES = 100
_MARKED = 512  # of the untagged: the kernel looks back further than they can breed meanwhile
_FORKS = tasks.BIRTHS // 2  # between two looks: the record forgets the oldest only about in their order
_FIRST = -20  # the niceness that nobody is preferred to


@dataclass
class Tagged:
    """What came of it: processes that carry the tags now, how many sockets they have open, and by process the sockets
    that there is no room to tag.
    """

    processes: list[Task] = field(default_factory=list)
    sockets: int = 0
    full: dict[int, list[Unjudged]] = field(default_factory=dict)


def _last_pid() -> int:
    """The process id that was given out last: the final field of /proc/loadavg."""
    return int(Path("/proc/loadavg").read_text().split()[-1])


def _forks() -> int:
    """How many threads and processes the host has made since it was started: /proc/stat."""
    with Path("/proc/stat").open() as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("processes "))


@contextmanager
def _before_others() -> Iterator[None]:
    """The current thread gets the processor first, if the agent has CAP_SYS_NICE."""
    thread = threading.get_native_id()
    before = os.getpriority(os.PRIO_PROCESS, thread)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, thread, _FIRST)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, thread, before)


def _same(one: Birth | None, other: Birth | None) -> bool:
    """Whether two looks at a number found the same process."""
    return (one.time_ns if one else 0) == (other.time_ns if other else 0)


def _too_fast(root: int) -> Unavailable:
    return Unavailable(
        f"process {root}: this host forks faster than its tree can be tagged, and some of it may have been missed: "
        "stop it (SIGSTOP), or freeze its cgroup, and tag it again"
    )


def _unjudged(pid: int) -> str:
    """Why a process cannot be tagged while it runs; empty when it can."""
    full = [Unjudged(each.fd, unjudged.NO_ROOM) for each in sockets.without_room(pid)]
    held = ", and ".join(map(str, [*unjudged.found(pid), *full]))
    return f"it holds {held}: stop it, and start it tagged" if held else ""


class Tagger:
    def __init__(self, maps: Maps, lockout: Lockout, guard: Guard) -> None:
        self._maps, self._guard = maps, guard
        self._lockout = lockout
        self._one_hunt = threading.Lock()

    def tag_process(self, pid: int, tags: int, result: Tagged, cgroup_id: int = 0, hunt: int = 0) -> Task | None:
        """Tags one process and its open sockets. None when it has died; in a hunt it stays marked."""
        self._guard.attach()
        return self._tag(pid, tags, result, cgroup_id, hunt)

    def tag_canary(self, pid: int, tags: int) -> Task | None:
        """The same without the guard on system calls: it makes none that are forbidden, and comes every minute."""
        return self._tag(pid, tags, Tagged(), 0, 0)

    def _tag(self, pid: int, tags: int, result: Tagged, cgroup_id: int, hunt: int) -> Task | None:
        namespace = 0 if cgroup_id else netns.of_process(pid)  # a container has not entered its own yet
        task = tasks.add_tags(self._maps, pid, tags, cgroup_id, hunt, namespace)
        if not Path(f"/proc/{pid}").exists():
            if not hunt:
                tasks.forget(self._maps, pid)
            return None
        self._name(task)
        found, full = sockets.tag_all(self._maps, task)
        result.processes.append(task)
        result.sockets += len(found)
        result.full[pid] = [Unjudged(each.fd, unjudged.NO_ROOM) for each in full]
        return task

    def _name(self, task: Task) -> None:
        try:
            process = psutil.Process(task.tgid)
            with process.oneshot():
                tasks.name_image(self._maps, task, process.uids().effective, process.name(), process.exe())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return

    def tag_tree(self, root: int, tags: int) -> Tagged:
        """Tags a process and all of its descendants. Raises Refused, before anybody is tagged, when that would lock
        the host out, or when one of them has something open that nobody can judge.
        """
        if not psutil.pid_exists(root):
            raise BadInput(f"process {root} does not exist: give the id of a running process")
        with self._one_hunt, _before_others():
            forks = _forks()
            lineage = Lineage.now(self._maps)
            self._refuse([root, *lineage.descendants({root}) & lineage.parents.keys() - {root}])
            return self._hunt(root, tags, forks)

    def tag_again(self, root: int, tags: int) -> Tagged:
        """The same of a tree that carried the tags before, whatever it has opened since."""
        with self._one_hunt, _before_others():
            return self._hunt(root, tags, _forks())

    def _refuse(self, family: list[int]) -> None:
        for pid in family:
            reason = self._lockout.process(pid) or _unjudged(pid)
            if reason:
                raise Refused(f"process {pid} is not tagged: {reason}")
        if shared := sockets.outsider(family):
            raise Refused(
                f"process {shared[0]} is not tagged: process {shared[1]}, which is not below it, shares its table of "
                f"descriptors, and could open there what nobody judges: stop one of them"
            )

    def _hunt(self, root: int, tags: int, forks: int) -> Tagged:
        with tasks.hunting(self._maps, tags) as hunt:
            return self._look(root, tags, hunt, forks)

    def _look(self, root: int, tags: int, hunt: int, forks: int) -> Tagged:
        """Over when nobody untagged lives in the tree, and nobody was born untagged since the last look.

        `forks` is how many there had been when nobody could be missed yet. Raises Unavailable when somebody may have
        been missed since.
        """
        result, looked_ns = Tagged(), 0
        self.tag_process(root, tags, result, hunt=hunt)
        for _ in range(_PASSES):
            lineage, found = Lineage.now(self._maps), self._found(hunt)
            forks, before = _forks(), forks
            if forks - before > _FORKS:
                raise _too_fast(root)
            family = lineage.descendants(found | {root})
            missed = [birth.time_ns for birth in self._mark_last(lineage, family - found, tags, hunt)]
            living = {pid for pid in family & lineage.parents.keys() if psutil.pid_exists(pid)}
            for pid in living - {task.tgid for task in result.processes}:
                self._tag_relative(pid, lineage.births.get(pid), tags, result, hunt)
            if living <= found and max(missed, default=0) <= looked_ns:
                return result
            looked_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        raise _too_fast(root)

    def _tag_relative(self, pid: int, birth: Birth | None, tags: int, result: Tagged, hunt: int) -> None:
        """Tags a process that was seen in the tree, unless its number has been given to somebody else meanwhile."""
        if _same(tasks.birth_of(self._maps, pid), birth):
            task = self.tag_process(pid, tags, result, hunt=hunt)
            if task and task.parent == 0 and not _same(tasks.birth_of(self._maps, pid), birth):
                tasks.forget(self._maps, pid)

    def _mark_last(self, lineage: Lineage, missed: set[int], tags: int, hunt: int) -> list[Birth]:
        """Marks those who were born last without tags: from there the kernel finds whom they leave behind."""
        births = {pid: lineage.births[pid] for pid in missed & lineage.births.keys()}
        untagged = sorted((pid for pid in births if births[pid].hunt != hunt), key=lambda pid: births[pid].time_ns)
        for pid in untagged[-_MARKED:]:
            tasks.add_tags(self._maps, pid, tags, hunt=hunt)
        return [births[pid] for pid in untagged]

    def _found(self, hunt: int) -> set[int]:
        return {task.tgid for task in tasks.everything(self._maps) if task.hunt == hunt}

    def tag_cgroup(self, path: Path, tags: int) -> Tagged:
        """Tags the processes in one cgroup until a pass finds nobody new."""
        result, identity, name = Tagged(), cgroups.id_of(path), cgroups.relative(path)
        for _ in range(_PASSES):
            fresh = [pid for pid in cgroups.processes(path) if not self._carries(pid, tags)]
            if not fresh:
                return result
            for pid in fresh:
                if cgroups.of_process(pid) == name:  # else it has ended, and its number may be somebody else's
                    self.tag_process(pid, tags, result, identity)
        raise Unavailable(f"cgroup {path}: it forks faster than it can be tagged: freeze it and start the agent again")

    def _carries(self, pid: int, tags: int) -> bool:
        task = tasks.get(self._maps, pid)
        return task is not None and task.tags & tags == tags

    def sweep(self) -> int:
        """Forgets thread groups that are gone (kernels before 6.16 do not say so). Returns how many.

        The number of a dead process may be given to a new one between the look and the deletion, which would lose its
        tags. Numbers are given out in a circle: only those are forgotten that the circle has just left behind.
        """
        last, limit = _last_pid(), int(Path("/proc/sys/kernel/pid_max").read_text())
        behind = (task.tgid for task in tasks.everything(self._maps) if (last - task.tgid) % limit < limit // 2)
        gone = [tgid for tgid in behind if not psutil.pid_exists(tgid)]
        for tgid in gone:
            tasks.forget(self._maps, tgid)
        return len(gone)

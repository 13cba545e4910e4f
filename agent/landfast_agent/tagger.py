"""Tagging what already runs: a process tree, the processes of a selected cgroup, and the sockets they hold.

Once a process is in the kernel's map its children inherit, so tagging a tree is a race only against forks that
happened just before. It is run again until a whole pass finds nobody new. Middle generations may be dead by then:
the kernel's record of recent forks tells whose children their children are.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from landfast_agent import cgroups, sockets, tasks
from landfast_agent.errors import BadInput, Refused, Unavailable
from landfast_agent.lockout import Lockout
from landfast_agent.maps import Maps
from landfast_agent.tasks import Birth, Task

_PASSES = 1000  # a fork loop adds at most a few processes per pass, and only as fast as it forks
_LOOK_BACK_NS = 1_000_000_000


@dataclass
class Tagged:
    """What came of it: processes that carry the tags now, and sockets that no rule can judge."""

    processes: list[Task] = field(default_factory=list)
    raw_sockets: list[tuple[int, int]] = field(default_factory=list)  # (process, descriptor)
    sockets: int = 0


def _parents() -> dict[int, int]:
    """Parent by process, of everything alive."""
    return {process.pid: process.info["ppid"] for process in psutil.process_iter(["ppid"])}


def _descendants(root: int) -> list[int]:
    try:
        return [process.pid for process in psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _belongs(pid: int, tree: set[int], parents: dict[int, int], births: dict[int, Birth], since_ns: int) -> bool:
    """Whether a chain of live parents and recent forks leads from `pid` into the tree."""
    seen: set[int] = set()
    while pid not in seen:
        seen.add(pid)
        birth = births.get(pid)
        candidates = {parents.get(pid, 0)} | ({birth.parent} if birth and birth.time_ns >= since_ns else set())
        if candidates & tree:
            return True
        pid = birth.parent if birth and birth.time_ns >= since_ns else parents.get(pid, 0)
        if pid <= 1:
            return False
    return False


def _last_pid() -> int:
    """The process id that was given out last: the final field of /proc/loadavg."""
    return int(Path("/proc/loadavg").read_text().split()[-1])


class Tagger:
    def __init__(self, maps: Maps, lockout: Lockout) -> None:
        self._maps = maps
        self._lockout = lockout

    def tag_process(self, pid: int, tags: int, result: Tagged, cgroup_id: int = 0) -> Task | None:
        """Tags one process and its open sockets. None when it has died."""
        task = tasks.add_tags(self._maps, pid, tags, cgroup_id)
        if not Path(f"/proc/{pid}").exists():
            tasks.forget(self._maps, pid)
            return None
        self._name(task)
        found = sockets.tag_all(self._maps, task)
        result.processes.append(task)
        result.sockets += len(found)
        result.raw_sockets += [(pid, each.fd) for each in found if each.is_raw]
        return task

    def _name(self, task: Task) -> None:
        try:
            process = psutil.Process(task.tgid)
            with process.oneshot():
                tasks.name_image(self._maps, task, process.uids().effective, process.name(), process.exe())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return

    def tag_tree(self, root: int, tags: int) -> Tagged:
        """Tags a process and all of its descendants. Raises Refused when that would lock the host out."""
        if not psutil.pid_exists(root):
            raise BadInput(f"process {root} does not exist: give the id of a running process")
        for pid in [root, *_descendants(root)]:
            self._refuse(pid)
        started_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - _LOOK_BACK_NS
        result, tree = Tagged(), {root}
        self.tag_process(root, tags, result)
        for _ in range(_PASSES):
            fresh = self._untagged_below(tree, tags, started_ns)
            if not fresh:
                return result
            self._tag_each(fresh, tags, result)
            tree |= fresh
        raise Unavailable(f"process {root}: it forks faster than it can be tagged: stop it (SIGSTOP) and tag it again")

    def _refuse(self, pid: int) -> None:
        reason = self._lockout.process(pid)
        if reason:
            raise Refused(f"process {pid} is not tagged: {reason}")

    def _untagged_below(self, tree: set[int], tags: int, since_ns: int) -> set[int]:
        parents, births = _parents(), tasks.births(self._maps)
        inherited = {task.tgid for task in tasks.everything(self._maps) if task.tags & tags == tags}
        return {
            pid
            for pid in parents
            if pid not in tree and pid not in inherited and _belongs(pid, tree | inherited, parents, births, since_ns)
        }

    def tag_cgroup(self, path: Path, tags: int) -> Tagged:
        """Tags the processes in one cgroup until a pass finds nobody new."""
        result, identity = Tagged(), cgroups.id_of(path)
        for _ in range(_PASSES):
            fresh = [pid for pid in cgroups.processes(path) if not self._carries(pid, tags)]
            if not fresh:
                return result
            self._tag_each(fresh, tags, result, identity)
        raise Unavailable(f"cgroup {path}: it forks faster than it can be tagged: freeze it and start the agent again")

    def _tag_each(self, pids: Iterable[int], tags: int, result: Tagged, cgroup_id: int = 0) -> None:
        for pid in pids:
            self.tag_process(pid, tags, result, cgroup_id)

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

"""What must never be tagged, since the host would be lost: PID 1, sshd, the agent, what the agent hangs from."""

import os
from pathlib import Path

import psutil

from landfast_agent import cgroups

_REMOTE_ACCESS = {"sshd"}
_KTHREADD = 2


def _ancestors(pid: int) -> set[int]:
    try:
        return {process.pid for process in psutil.Process(pid).parents()}
    except psutil.NoSuchProcess:
        return set()


class Lockout:
    """Answers why a process or a cgroup must not be tagged. `agent` is the daemon's process id."""

    def __init__(self, agent: int | None = None) -> None:
        self._agent = agent or os.getpid()
        self._above = _ancestors(self._agent)

    def process(self, pid: int, caller: int = 0) -> str:
        """Why `pid` must not be tagged; empty when it may. `caller` may tag itself through `exec`."""
        if pid == 1:
            return "it is PID 1: every process of the host would inherit the tags"
        if pid == self._agent:
            return "it is the agent itself: it could no longer reach its controller"
        if pid in self._above and pid != caller:
            return "the agent runs below it: the agent would inherit the tags at its next restart"
        if self._is_kernel_thread(pid):
            return "it is a kernel thread"
        if self._comm(pid) in _REMOTE_ACCESS:
            return f"it is {self._comm(pid)}: nobody could log in to this host any more"
        return ""

    def cgroup(self, path: Path) -> str:
        """Why a cgroup must not be selected."""
        if path == cgroups.root():
            return "it is the root cgroup: it holds every process of the host"
        for pid in cgroups.processes(path):
            reason = self.process(pid)
            if reason and not self._is_kernel_thread(pid):
                return f"process {pid} ({self._comm(pid)}) is in it: {reason}"
        return ""

    @staticmethod
    def _comm(pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return ""

    @staticmethod
    def _is_kernel_thread(pid: int) -> bool:
        try:
            return pid == _KTHREADD or int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == 2
        except (FileNotFoundError, ProcessLookupError):
            return False

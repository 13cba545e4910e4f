"""The cgroup v2 hierarchy of the host: its root, ids, and paths."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from landfast_agent.errors import Unavailable


@cache
def root() -> Path:
    """Mount point of cgroup v2: from the mount table, since hybrid systems have it at /sys/fs/cgroup/unified."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(target)
    raise Unavailable("no cgroup v2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup")


def id_of(path: Path) -> int:
    """The id by which BPF programs know a cgroup: its inode number."""
    return path.stat().st_ino


def relative(path: Path) -> str:
    """The path as /proc/PID/cgroup and selectors write it: below the root, with a leading '/'."""
    inside = path.relative_to(root())
    return "/" if inside == Path() else f"/{inside}"


def walk() -> Iterator[Path]:
    """Every cgroup but the root."""
    for directory, children, _ in os.walk(root()):
        yield from (Path(directory, child) for child in children)


def processes(path: Path) -> list[int]:
    """Thread group ids in this cgroup alone; none when it is gone meanwhile."""
    try:
        return [int(line) for line in (path / "cgroup.procs").read_text().split()]
    except (FileNotFoundError, OSError):
        return []


def of_process(pid: int) -> str:
    """Path of a process' cgroup below the root; empty when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return next((line[3:] for line in lines if line.startswith("0::")), "")

"""Removal of what a run left in the kernel and on disk, recognised by its name."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from tests.testbed.cgroup import Cgroup, cgroup_root
from tests.testbed.names import abandoned, owner
from tests.testbed.namespace import Namespace
from tests.testbed.processes import all_processes, end_all

_PINS = Path("/sys/fs/bpf/landfast")
_LOCK = Path(tempfile.gettempdir()) / "landfast-leftovers.lock"
_INSTANCE_DIRECTORIES = (_PINS, Path("/run/landfast"), Path("/var/lib/landfast"))


def remove_leftovers(prefix: str, instances: str, gone: Callable[[str, str], bool] = abandoned) -> list[str]:
    """Removes instances, cgroups and namespaces that a dead process named so, and says what there was.

    `gone(name, prefix)` decides; `mine` is for the end of a run. One at a time: those that run side by side see the
    same.
    """
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return [
            *_remove(_INSTANCE_DIRECTORIES, instances, gone, remove_instance, "instance"),
            *_remove([cgroup_root()], prefix, gone, lambda name: Cgroup(name).remove(), "cgroup"),
            *_remove([Path("/run/netns")], prefix, gone, lambda name: Namespace(name).remove(), "network namespace"),
        ]


def mine(name: str, prefix: str) -> bool:
    """Whether this process named it."""
    return owner(name, prefix) == os.getpid()


def _remove(
    places: Sequence[Path],
    prefix: str,
    gone: Callable[[str, str], bool],
    remove: Callable[[str], None],
    kind: str,
) -> Iterator[str]:
    names = {entry for where in places if where.is_dir() for entry in os.listdir(where)}
    for name in sorted(names):
        if gone(name, prefix):
            remove(name)
            yield f"{kind} {name}"


def remove_instance(name: str) -> None:
    """Ends the agent of the instance and removes its pins, which detaches its programs, and its directories."""
    if name == "default":
        raise ValueError("the instance 'default' belongs to the host, never to a test")
    end_all(lambda: _agents_of(name), f"instance {name}")
    for where in _INSTANCE_DIRECTORIES:
        shutil.rmtree(where / name, ignore_errors=True)
    if (_PINS / name).exists():
        raise RuntimeError(f"{_PINS / name} cannot be removed: its programs are still attached")


def _agents_of(name: str) -> set[int]:
    return {pid for pid in all_processes() if _serves(pid, name)}


def _serves(pid: int, name: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it has ended meanwhile
        return False
    asked = f"--instance={name}" in words or ("--instance", name) in pairwise(words)
    return asked and any("landfast" in word for word in words[:3])

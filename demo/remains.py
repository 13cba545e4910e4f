"""Removing what a demonstration made, by name: at its end, after a crash, or when a kept one is no longer wanted."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.testbed.leftovers import remove_leftovers
from tests.testbed.names import owner

NETWORK = "lfdemo"
INSTANCE = "demo"
DIRECTORY = "landfast-demo"
KEPT = "kept"

_TMP = Path("/var/tmp")  # noqa: S108 -- made with mode 0700, under a name that must not exist


def directory(name: str) -> Path:
    """Where the demonstration `name` keeps its files."""
    return _TMP / name


def remove(pid: int) -> list[str]:
    """Removes the demonstration that process `pid` made, and says what was still there."""
    removed = remove_leftovers(NETWORK, INSTANCE, _made_by(pid))
    for path in _directories(pid):
        shutil.rmtree(path)
        removed.append(f"directory {path}")
    return removed


def abandoned(with_kept: bool) -> set[int]:
    """Processes that are gone and left a demonstration behind, the kept ones only if asked."""
    pids = {owner(path.name, DIRECTORY): path for path in _TMP.glob(f"{DIRECTORY}-*")}
    return {
        pid
        for pid, path in pids.items()
        if pid is not None and not Path(f"/proc/{pid}").exists() and (with_kept or not (path / KEPT).exists())
    }


def _directories(pid: int) -> Iterator[Path]:
    return (path for path in _TMP.glob(f"{DIRECTORY}-*") if owner(path.name, DIRECTORY) == pid)


def _made_by(pid: int) -> Callable[[str, str], bool]:
    return lambda name, prefix: owner(name, prefix) == pid

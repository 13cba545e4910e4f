"""cgroup v2 directories, wherever the hierarchy is mounted."""

from functools import cache
from pathlib import Path

from tests.testbed.names import owned
from tests.testbed.processes import end_all


@cache
def cgroup_root() -> Path:
    """Mount point of the cgroup v2 hierarchy: /sys/fs/cgroup, or /sys/fs/cgroup/unified in hybrid mode."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise RuntimeError("no cgroup2 file system is mounted: mount -t cgroup2 none /sys/fs/cgroup")


class Cgroup:
    """A cgroup of its own, made on entry and removed with its processes and children on exit."""

    def __init__(self, name: str = "") -> None:
        """`name` may have several components; without one, it is `lft-...`."""
        self.name = name or owned("lft")
        self.path = cgroup_root() / self.name

    def make(self) -> "Cgroup":
        self.path.mkdir(parents=True)
        return self

    def processes(self) -> set[int]:
        """In it and below it; zombies, which nobody can end, are not counted."""
        lists = [self.path, *self.path.rglob("*/")]
        return {int(pid) for where in lists for pid in (where / "cgroup.procs").read_text().split() if _alive(pid)}

    def add(self, pid: int) -> None:
        (self.path / "cgroup.procs").write_text(str(pid))

    def freeze(self) -> None:
        """Stops everything in it. Removing it ends frozen processes as well."""
        (self.path / "cgroup.freeze").write_text("1")

    def remove(self) -> None:
        """With all processes and children, and the parents that `make` made, as far as nobody else uses them."""
        end_all(self.processes, f"cgroup {self.name}")
        for where in sorted(self.path.rglob("*/"), reverse=True):
            where.rmdir()
        self.path.rmdir()
        for parent in list(self.path.relative_to(cgroup_root()).parents)[:-1]:
            _remove_empty(cgroup_root() / parent)

    def __enter__(self) -> "Cgroup":
        return self.make()

    def __exit__(self, *_: object) -> None:
        self.remove()


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _remove_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:  # somebody else's child is in it
        return

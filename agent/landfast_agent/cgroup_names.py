"""What people call a cgroup: its path, the systemd unit in it, the container in it."""

import re
import time
from collections import OrderedDict
from contextlib import suppress

from landfast_agent import cgroups

_UNIT = re.compile(r"[^/]+\.(?:service|scope|socket|mount|swap)(?=/|$)")

# docker-ID.scope, cri-containerd-ID.scope, libpod-ID.scope, /docker/ID, /kubepods/.../ID: all use 64 hex digits
_CONTAINER = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")

_REMEMBERED = 16384
_WALK_EVERY_S = 1.0


def unit_of(path: str) -> str:
    """The innermost unit other than slices: `user@1000.service/app.slice/feed.service` is `feed.service`."""
    return next(reversed(_UNIT.findall(path)), "")


def container_of(path: str) -> str:
    """The innermost container's id, as Docker, containerd, CRI-O and Podman name scopes and directories."""
    return next(reversed(_CONTAINER.findall(path)), "")


class CgroupNames:
    """Paths by cgroup id, kept for a while after a cgroup is gone."""

    def __init__(self) -> None:
        self._paths: OrderedDict[int, str] = OrderedDict({cgroups.id_of(cgroups.root()): "/"})
        self._walked = -_WALK_EVERY_S

    def path(self, cgroup_id: int, pid: int) -> str:
        """The path of a cgroup, that of `pid` if it still lives; empty when nobody knows it any more."""
        if cgroup_id not in self._paths:
            self._learn_from(pid)
        if cgroup_id not in self._paths:
            self._walk()
        return self._paths.get(cgroup_id, "")

    def _learn_from(self, pid: int) -> None:
        with suppress(OSError):
            path = cgroups.of_process(pid)
            self._remember(cgroups.id_of(cgroups.root() / path.lstrip("/")), path)

    def _walk(self) -> None:
        """Looks at every cgroup of the host, at most once a second: there may be thousands."""
        if time.monotonic() - self._walked < _WALK_EVERY_S:
            return
        for directory in cgroups.walk():
            with suppress(OSError):
                self._remember(cgroups.id_of(directory), cgroups.relative(directory))
        self._walked = time.monotonic()

    def _remember(self, cgroup_id: int, path: str) -> None:
        self._paths[cgroup_id] = path
        self._paths.move_to_end(cgroup_id)
        while len(self._paths) > _REMEMBERED:
            self._paths.popitem(last=False)

"""Tags of thread groups, as the kernel holds them."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from landfast_agent import libbpf
from landfast_agent.errors import Unavailable
from landfast_agent.layout import BIRTH, IMAGE, TASK
from landfast_agent.maps import Maps

#: Forks that the kernel remembers: `births` of bpf/maps.h.
BIRTHS = 16384

_FILTER = 4096  # LF_FILTER


@dataclass(frozen=True)
class Task:
    """A tagged thread group. Times are nanoseconds of CLOCK_BOOTTIME; `parent` 0 means tagged from outside.

    `hunt` is the number of the hunt that found it last, 0 for none; `netns` the cookie of the network namespace in
    which its rules hold, 0 until that is decided.
    """

    tgid: int
    tags: int
    image: int
    since_ns: int
    cgroup_id: int
    parent: int
    hunt: int
    netns: int


@dataclass(frozen=True)
class Birth:
    """A fork: when, by which thread group, and the hunt that had found it; 0 for none."""

    time_ns: int
    parent: int
    hunt: int


def _key(tgid: int) -> bytes:
    return tgid.to_bytes(4, "little")


def _task(key: bytes, value: bytes) -> Task:
    return Task(int.from_bytes(key, "little"), *TASK.unpack(value))


def get(maps: Maps, tgid: int) -> Task | None:
    for name in ("tasks", "task_reserve"):
        value = libbpf.map_lookup(maps.fd(name), _key(tgid), TASK.size)
        if value is not None:
            return _task(_key(tgid), value)
    return None


def everything(maps: Maps) -> Iterator[Task]:
    """All tagged thread groups, in no order."""
    for name in ("tasks", "task_reserve"):
        for key, value in libbpf.map_items(maps.fd(name), 4, TASK.size):
            yield _task(key, value)


def tags_of_all(maps: Maps) -> dict[int, int]:
    """Tags by thread group."""
    found: dict[int, int] = {}
    for task in everything(maps):
        found[task.tgid] = found.get(task.tgid, 0) | task.tags
    return found


def show(maps: Maps, tgid: int) -> None:
    """Lets the filter, which spares untagged processes a search, know of a thread group."""
    libbpf.map_update(maps.fd("maybe_tagged"), _key(tgid % _FILTER), (1).to_bytes(4, "little"))


def hidden(maps: Maps, tgids: Iterable[int]) -> list[int]:
    """Those whom the filter does not know, which makes the kernel take them for untagged."""
    entries = libbpf.map_lookup_batch(maps.fd("maybe_tagged"), 4, 4, _FILTER)
    known = {int.from_bytes(key, "little") for key, value in entries if any(value)}
    return [tgid for tgid in tgids if tgid % _FILTER not in known]


def add_tags(  # noqa: PLR0917  # an entry of the map
    maps: Maps, tgid: int, tags: int, cgroup_id: int = 0, hunt: int = 0, namespace: int = 0
) -> Task:
    """Adds classes to a thread group; the next thing it does is judged by them. Raises Unavailable if they
    do not stick. A network namespace in which its rules hold stays what it is.

    The kernel may write the entry at the same moment (another cgroup's tags), hence the loop.
    """
    maps.control.add("tagged", tags)
    show(maps, tgid)
    for _ in range(100):
        old = get(maps, tgid)
        if old and old.tags & tags == tags and old.hunt == (hunt or old.hunt):
            return old
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        entry = old or Task(tgid, 0, now, now, cgroup_id, 0, hunt, namespace)
        value = TASK.pack(
            entry.tags | tags,
            entry.image,
            entry.since_ns,
            entry.cgroup_id,
            entry.parent,
            hunt or entry.hunt,
            entry.netns or namespace,
        )
        libbpf.map_update(maps.fd("tasks"), _key(tgid), value)
    raise Unavailable(f"process {tgid}: its tags do not stick in the map `tasks`: look at the kernel log")


def name_image(maps: Maps, task: Task, uid: int, comm: str, file: str) -> None:
    """Remembers what a process that was tagged from outside is, so that it can be named after its death."""
    value = IMAGE.pack(task.image, task.cgroup_id, task.tgid, uid, comm.encode()[:15], file.encode()[:127])
    libbpf.map_update(maps.fd("images"), task.image.to_bytes(8, "little"), value)


def mark_canary(maps: Maps, task: Task) -> None:
    """Says of an execution, also to a later agent, that it is the agent's own: the kernel gives none the time 0."""
    value = IMAGE.pack(0, task.cgroup_id, task.tgid, 0, b"canary", b"")
    libbpf.map_update(maps.fd("images"), task.image.to_bytes(8, "little"), value)


def is_canary(maps: Maps, image: int) -> bool:
    value = libbpf.map_lookup(maps.fd("images"), image.to_bytes(8, "little"), IMAGE.size)
    return value is not None and IMAGE.unpack(value)[0] == 0


def forget(maps: Maps, tgid: int) -> None:
    for name in ("tasks", "task_reserve"):
        libbpf.map_delete(maps.fd(name), _key(tgid))


@contextmanager
def hunting(maps: Maps, tags: int) -> Iterator[int]:
    """Lets the kernel tag whoever descends from somebody with this hunt's number. One hunt at a time."""
    number = time.clock_gettime_ns(time.CLOCK_BOOTTIME) & 0xFFFFFFFF | 1
    maps.control.set("hunt_tags", tags)
    maps.control.set("hunt", number)
    try:
        yield number
    finally:
        maps.control.set("hunt", 0)


def birth_of(maps: Maps, tgid: int) -> Birth | None:
    """The recorded birth of whoever has this number now, or had it last."""
    value = libbpf.map_lookup(maps.fd("births"), _key(tgid), BIRTH.size)
    return Birth(*BIRTH.unpack(value)) if value is not None else None


def births(maps: Maps) -> dict[int, Birth]:
    """Recent forks by child."""
    entries = libbpf.map_lookup_batch(maps.fd("births"), 4, BIRTH.size, BIRTHS)
    return {int.from_bytes(key, "little"): Birth(*BIRTH.unpack(value)) for key, value in entries}

"""Who is known to be tagged, so that nobody loses tags unseen.

The kernel forgets a thread group when its last thread ends, and a cgroup when it is removed; a thread group gains
tags and never loses one. What was there at the last look, lives, and carries less now, was altered.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from landfast.v1.batch_pb2 import NoticeKind
from landfast_agent import cgroups, libbpf, tasks
from landfast_agent.difference import Difference
from landfast_agent.enforcer import Enforcer
from landfast_agent.tasks import Task

_PF_EXITING = 0x4  # linux/sched.h; set before the kernel programs hear of the exit
_STATE, _FLAGS, _START = 0, 6, 19  # fields of /proc/PID/stat after the command's name


@dataclass(frozen=True)
class _Person:
    """A tagged thread group. `start` (clock ticks since boot) tells it from a later one of the same number."""

    tags: int
    start: int


class Census:
    """Compares the maps `tasks`, `maybe_tagged` and `cgroups` with what they said at the last look."""

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer, self._maps = enforcer, enforcer.maps
        self._people: dict[int, _Person] = {}
        self._cgroups: dict[int, int] = {}
        self._generation = 0

    def remember(self, found: Iterable[Task]) -> None:
        """Thread groups that have just been tagged: from now on, and not from the next look on. For any thread."""
        for task in found:
            if person := self._meet(task.tgid, task.tags):
                self._people[task.tgid] = person

    def differences(self) -> list[Difference]:
        """Costs a system call for each tagged process, and a few more for each new one."""
        return [*self._lost_people(), *self._lost_cgroups()]

    def _lost_people(self) -> Iterator[Difference]:
        now = tasks.tags_of_all(self._maps)
        known, self._people = self._people, {}
        for tgid, tags in now.items():
            if person := known.get(tgid) or self._meet(tgid, tags):
                self._people[tgid] = _Person(person.tags | tags, person.start)
        for tgid, person in known.items():
            gone = person.tags & ~now.get(tgid, 0)
            if gone and _lives(tgid, person.start):
                self._people[tgid] = person
                what = f"process {tgid} lost {self._names(gone)}"
                yield _tags_altered(what, partial(self._enforcer.tagger.tag_again, tgid, person.tags))
        for tgid in tasks.hidden(self._maps, self._people):
            what = f"process {tgid} was hidden from the filter `maybe_tagged`"
            yield _tags_altered(what, partial(tasks.show, self._maps, tgid))

    def _meet(self, tgid: int, tags: int) -> _Person | None:
        """None when it has ended, or when it is not certain whose start that is."""
        start = _start(tgid)
        held = tasks.get(self._maps, tgid)
        return _Person(tags, start) if start and held and held.tags & tags == tags else None

    def _lost_cgroups(self) -> Iterator[Difference]:
        """As long as the policy is the same: another one selects others."""
        generation = self._maps.control.get("generation")
        known = self._cgroups if generation == self._generation else {}
        self._generation, self._cgroups = generation, _selected(self._enforcer)
        lost = {each: tags for each, tags in known.items() if tags & ~self._cgroups.get(each, 0)}
        living = {cgroups.id_of(path): path for path in cgroups.walk()} if lost else {}
        for identity in lost.keys() & living.keys():
            what = f"cgroup {cgroups.relative(living[identity])} lost {self._names(lost[identity])}"
            yield _tags_altered(what, self._enforcer.select)

    def _names(self, tags: int) -> str:
        active = self._enforcer.active
        return ",".join(active.policy.names(tags)) if active else f"tags {tags:#x}"


def _selected(enforcer: Enforcer) -> dict[int, int]:
    items = libbpf.map_items(enforcer.maps.fd("cgroups"), 8, 8)
    return {int.from_bytes(key, "little"): int.from_bytes(value, "little") for key, value in items}


def _tags_altered(what: str, mend: Callable[[], object]) -> Difference:
    return Difference(NoticeKind.NOTICE_KIND_TAGS_ALTERED, what, mend)


def _stat(path: Path) -> list[str]:
    """Fields after the name; empty when there is no such task."""
    try:
        return path.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _start(tgid: int) -> int:
    """0 when there is no such process."""
    fields = _stat(Path(f"/proc/{tgid}/stat"))
    return int(fields[_START]) if fields else 0


def _lives(tgid: int, start: int) -> bool:
    """Whether it is still the same process, and one of its threads is not about to end."""
    if _start(tgid) != start:
        return False
    threads = (_stat(path) for path in Path(f"/proc/{tgid}/task").glob("*/stat"))
    return any(fields and fields[_STATE] not in "ZX" and not int(fields[_FLAGS]) & _PF_EXITING for fields in threads)

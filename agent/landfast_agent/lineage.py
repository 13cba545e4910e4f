"""Who descends from whom: by the parents of the living, and by the record of forks, for those whose parents died."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil

from landfast_agent import tasks
from landfast_agent.maps import Maps
from landfast_agent.tasks import Birth


@dataclass(frozen=True)
class Lineage:
    """Parents by process, and recent births by child, dead or alive."""

    parents: Mapping[int, int]
    births: Mapping[int, Birth]

    @classmethod
    def now(cls, maps: Maps) -> "Lineage":
        """The living first: whoever is born, or orphaned, in between has a recorded birth."""
        processes = psutil.process_iter(["ppid", "status", "num_threads"])
        return cls({each.pid: each.info["ppid"] for each in processes if _lives(each.info)}, tasks.births(maps))

    def descendants(self, roots: Iterable[int]) -> set[int]:
        """Everybody below the roots, and the roots, dead or alive."""
        found = set(roots)
        children, following = self._children(), list(found)
        while following:
            fresh = [child for child in children[following.pop()] if child not in found]
            found.update(fresh)
            following += fresh
        return found

    def _children(self) -> Mapping[int, list[int]]:
        children: defaultdict[int, list[int]] = defaultdict(list)
        for child, parent in self.parents.items():
            children[parent].append(child)
        for child, birth in self.births.items():
            if self._is_parents(birth):
                children[birth.parent].append(child)
        return children

    def _is_parents(self, birth: Birth) -> bool:
        """Whether the parent's number still means the parent: else its own birth is the later one."""
        parents = self.births.get(birth.parent)
        return parents is None or parents.time_ns <= birth.time_ns


def _lives(info: Mapping[str, object]) -> bool:
    """A zombie can do nothing any more, unless it is only the leader whose threads go on."""
    return info["status"] != psutil.STATUS_ZOMBIE or info["num_threads"] != 1

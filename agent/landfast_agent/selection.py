"""Selected cgroups that exist already. Those still to come are matched by the kernel program on cgroup_mkdir."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from landfast.policy.glob import Automaton, matches
from landfast_agent import cgroups, libbpf
from landfast_agent.errors import Unavailable
from landfast_agent.lockout import Lockout
from landfast_agent.maps import Maps
from landfast_agent.tagger import Tagged, Tagger


@dataclass(frozen=True)
class Selected:
    """A cgroup that the policy selects, and what came of it.

    `tagged` is None when it must not be selected. `refusal` says why, or what could not be tagged.
    """

    path: str
    tags: int
    tagged: Tagged | None = None
    refusal: str = ""


def _matching(automaton: Automaton) -> Iterator[tuple[Path, int]]:
    for path in cgroups.walk():
        tags = matches(automaton, cgroups.relative(path).encode())
        if tags:
            yield path, tags


def _select(maps: Maps, tagger: Tagger, lockout: Lockout, path: Path, tags: int) -> Selected:
    name, refusal = cgroups.relative(path), lockout.cgroup(path)
    if refusal:
        return Selected(name, tags, refusal=refusal)
    maps.control.add("tagged", tags)
    libbpf.map_update(maps.fd("cgroups"), cgroups.id_of(path).to_bytes(8, "little"), tags.to_bytes(8, "little"))
    try:
        return Selected(name, tags, tagger.tag_cgroup(path, tags))
    except Unavailable as error:
        return Selected(name, tags, Tagged(), str(error))


def synchronise(maps: Maps, automaton: Automaton, tagger: Tagger, lockout: Lockout) -> list[Selected]:
    """Makes the map of selected cgroups follow the policy, and tags the processes in them.

    A cgroup that is no longer selected stops tagging newcomers; processes keep the tags they have.
    """
    fd = maps.fd("cgroups")
    before = {int.from_bytes(key, "little") for key in libbpf.map_keys(fd, 8)}
    result, kept = [], set()
    for path, tags in _matching(automaton):
        try:
            identity = cgroups.id_of(path)
            selected = _select(maps, tagger, lockout, path, tags)
        except FileNotFoundError:
            continue  # removed meanwhile
        result.append(selected)
        kept |= set() if selected.tagged is None else {identity}
    for identity in before - kept:  # never one that the kernel has added while we were walking
        libbpf.map_delete(fd, identity.to_bytes(8, "little"))
    return result

"""Directories of pins, and whose they are.

A link lives as long as its pin, so whoever may remove the pin ends enforcement. The directories belong to a user that
nobody runs as: root's identity alone removes nothing, it takes CAP_DAC_OVERRIDE or another capability that amounts to
root. The directory above, /sys/fs/bpf, is root's, who may rename what is in it: that ends nothing, and is put back.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from landfast_agent.errors import Unavailable
from landfast_agent.instance import Instance

#: The owner, and the group: the last number that there is.
NOBODY = 0xFFFFFFFE
_OPEN, _CLOSED = 0o755, 0o700


def make(directory: Path, instance: Instance) -> None:
    """Makes a directory for pins inside the instance's, and those above it; gives them all to nobody.

    Raises Unavailable when something else is in the way.
    """
    above = [each for each in directory.parents if each.is_relative_to(instance.pins)]
    for each in (instance.pins.parent, *reversed(above), directory):
        if each.is_symlink():
            raise Unavailable(f"{each} is a symbolic link, which we have not made: remove it")
        each.mkdir(exist_ok=True, mode=_OPEN if instance.pins.is_relative_to(each) else _CLOSED)
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)


def moved(instance: Instance) -> Path | None:
    """Where the instance's pins are now, if somebody has renamed the directory above them."""
    if _is_ours(instance.pins) and _is_ours(instance.pins.parent):
        return None
    return next(_elsewhere(instance), None)


def bring_back(found: Path, instance: Instance) -> None:
    """Undoes what `moved` has found. What has taken the place is renamed."""
    for place in (instance.pins.parent, instance.pins):
        if os.path.lexists(place) and not _is_ours(place):
            place.rename(place.with_name(f"{place.name}-{time.time_ns()}"))
    make(instance.pins, instance)
    with suppress(FileNotFoundError):  # the agent of another instance was faster
        found.rename(instance.pins)
        found.parent.rmdir()


def _elsewhere(instance: Instance) -> Iterator[Path]:
    for directory in instance.pins.parent.parent.iterdir():
        inside = directory / instance.name
        if directory != instance.pins.parent and _is_ours(directory) and _is_ours(inside):
            yield inside


def _is_ours(path: Path) -> bool:
    """Only with the capability to give files away could somebody else have made it."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return path.lstat().st_uid == NOBODY
    return False

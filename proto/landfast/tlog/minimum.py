"""The minimum index of a log: entries below it are pruned (https://c2sp.org/tlog-tiles, "Pruning").

The specification leaves open where it is told. Ours is a resource beside the checkpoint, `minimum-index`: a number in
decimal and a newline; where there is none, nothing is pruned. It is not signed. What may be missing is told by the log
itself (landfast.retention).
"""

import re

from landfast.tlog.errors import PrunedError, TlogError
from landfast.tlog.tiles import LARGEST_SIZE, WIDTH
from landfast.tlog.tree import Read

PATH = "minimum-index"

_CONTENT = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


def encode(index: int) -> bytes:
    return b"%d\n" % index


def read(source: Read, size: int = LARGEST_SIZE) -> int:
    """That of a log of `size` entries: whole bundles are pruned. Raises TlogError for what cannot be one."""
    try:
        content = source(PATH)
    except TlogError:
        return 0
    found = _CONTENT.fullmatch(content)
    index = int(found[1]) if found else -1
    if index % WIDTH or index > size:
        raise TlogError(f"{PATH} says {content[:40]!r}: a multiple of {WIDTH} up to {size}, and a newline, is expected")
    return index


def check(source: Read, size: int, index: int) -> None:
    """Raises PrunedError when the entry at `index` is pruned."""
    if index < (oldest := read(source, size)):
        raise PrunedError(f"entry {index} is pruned: the log begins at {oldest}; read older entries in a mirror of it")

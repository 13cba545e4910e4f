"""Names that say which process made a thing: `lft-4711-2` is the second thing of process 4711."""

import itertools
import os
import re

_numbers = itertools.count(1)


def owned(prefix: str) -> str:
    """A name that nothing else has, and that tells that this process made it."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"


def owner(name: str, prefix: str) -> int | None:
    """The process that made `name`, None when the name is not one of `owned(prefix)`, or longer."""
    match = re.match(rf"{re.escape(prefix)}-(\d+)-\d+(?!\d)", name)
    return int(match[1]) if match else None


def abandoned(name: str, prefix: str) -> bool:
    """Whether `name` was made under `prefix` by a process that is gone."""
    pid = owner(name, prefix)
    return pid is not None and not os.path.exists(f"/proc/{pid}")

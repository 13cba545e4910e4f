"""Waiting for something to become true, with a limit and a name."""

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], what: str, timeout: float = 5.0, step: float = 0.01) -> float:
    """Seconds until `holds()`; TimeoutError naming `what` when it does not within `timeout` seconds."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > timeout:
            raise TimeoutError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(step)
    return time.monotonic() - started

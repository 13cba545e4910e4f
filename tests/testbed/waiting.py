"""Waiting for something to become true, with a limit and a name."""

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], what: str, timeout: float = 5.0, step: float = 0.01) -> float:
    """Seconds until `holds()`; TimeoutError naming `what` when it does not within `timeout` seconds.

    Asks after `step` seconds again, or after as long as the answer took: half of the time is for what it waits for.
    """
    started = asked = time.monotonic()
    while not holds():
        answered = time.monotonic()
        if answered - started > timeout:
            raise TimeoutError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(max(step, answered - asked))
        asked = time.monotonic()
    return time.monotonic() - started

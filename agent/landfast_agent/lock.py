"""One daemon for each instance: who holds the lock is it."""

import fcntl
import os

from landfast_agent.errors import Refused
from landfast_agent.instance import Instance


def hold(instance: Instance) -> int:
    """Holds the instance for this process, as long as the descriptor is open. Raises Refused when another does."""
    instance.run.mkdir(parents=True, exist_ok=True, mode=0o755)
    fd = os.open(instance.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(fd)
        raise Refused(
            f"the agent of instance {instance.name} runs already: stop it first, or use another --instance"
        ) from error
    return fd

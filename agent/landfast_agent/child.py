"""Work that takes much memory for a short time, done in a process that is gone afterwards."""

import json
import os
from collections.abc import Callable

from landfast_agent.errors import AgentError, BadInput, Refused, Unavailable

_ERRORS: dict[int, type[AgentError]] = {1: Refused, 2: BadInput, 3: Unavailable}


def in_child(work: Callable[[], None]) -> None:
    """Runs `work` in a forked child and waits for it; only before threads are started. Raises what it raised there."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os._exit(_run(work, writer))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        report = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        told = json.loads(report) if report else f"the loader ended with status {status}: see the kernel log"
        raise _ERRORS.get(status, Unavailable)(told)


def _run(work: Callable[[], None], writer: int) -> int:
    """Exit status of the child; never raises, since the child must not go on as if it were the parent."""
    try:
        work()
    except AgentError as error:
        os.write(writer, json.dumps(str(error)[:32768]).encode())
        return error.status
    except BaseException as error:
        os.write(writer, json.dumps(f"{type(error).__name__}: {error}"[:32768]).encode())
        return Unavailable.status
    return 0

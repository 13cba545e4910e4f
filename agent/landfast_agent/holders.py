"""Ending tagged processes that hold what nobody can judge: whom a selector has tagged while they ran, and who opened it
while it was tagged. `landfast-agent tag` refuses them before, and `exec` closes it.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from landfast.policy.model import DataClass, ForbiddenCalls, IoUring, Mode, Policy
from landfast_agent import tasks, unjudged
from landfast_agent.maps import Maps
from landfast_agent.tagger import Tagged
from landfast_agent.tasks import Task
from landfast_agent.unjudged import RING, Unjudged

_BEFORE_EXEC_S = 1.0  # what a service manager's child takes from entering its cgroup to becoming the service
_LOOKS = 10

#: What happened, as a line, and as fields of its notice.
Report = tuple[str, dict[str, str]]


def end(maps: Maps, policy: Policy, tagged: Tagged) -> list[Report]:
    """Kills the holders among processes that were just tagged, unless all of their classes only record."""
    reports: list[Report] = []
    for task in tagged.processes:
        with suppress(ProcessLookupError):
            reports += _end(maps, policy, task, tagged.full.get(task.tgid, []))
    return reports


def _end(maps: Maps, policy: Policy, task: Task, full: list[Unjudged]) -> Iterator[Report]:
    """Holds on to the process before the look, so that nobody else is killed who got its number since."""
    pidfd = os.pidfd_open(task.tgid)
    try:
        now, held = tasks.get(maps, task.tgid), [*_held(policy, task), *full]
        if not held or now is None or now.since_ns != task.since_ns:
            return
        kills = not _only_record(policy, now.tags)
        if kills:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        yield _report(policy, now, held, kills)
    finally:
        os.close(pidfd)


def _held(policy: Policy, task: Task) -> list[Unjudged]:
    """What it holds, and keeps: a child of a service manager has its parent's descriptors until it executes."""
    for _ in range(_LOOKS):
        held = [each for each in unjudged.found(task.tgid) if each.kind != RING or _forbid_rings(policy, task.tags)]
        if not held or not all(each.closes_on_exec for each in held) or not unjudged.is_about_to_execute(task.tgid):
            break
        time.sleep(_BEFORE_EXEC_S / _LOOKS)
    return held


def _forbid_rings(policy: Policy, tags: int) -> bool:
    """A class that may use io_uring has its rings from after it was tagged; those from before look the same."""
    return _lacks(policy, tags, lambda each: each.io_uring == IoUring.ALLOW)


def _only_record(policy: Policy, tags: int) -> bool:
    return not _lacks(
        policy, tags, lambda each: each.mode == Mode.AUDIT or each.forbidden_calls == ForbiddenCalls.AUDIT
    )


def _lacks(policy: Policy, tags: int, has: Callable[[DataClass], bool]) -> bool:
    """Whether one of the classes is not such a one; a class that the policy does not hold any more never is."""
    return bool(tags & ~sum(each.mask for each in policy.classes if has(each)))


def _report(policy: Policy, task: Task, held: list[Unjudged], kills: bool) -> Report:
    what, names = ", and ".join(map(str, held)), ",".join(policy.names(task.tags))
    done = "was killed" if kills else "goes on, since its classes only record"
    text = f"process {task.tgid} {done}: tagged {names} while it ran, it held {what}: start it tagged"
    return text, {"pid": str(task.tgid), "classes": names, "held": what, "killed": "yes" if kills else "no"}

"""What is to be done next about a rollout, by what is seen of the hosts. Pure: the same sight, the same decision."""

from collections.abc import Sequence
from dataclasses import dataclass

from landfast_controller.rollout.plan import Host, Plan, Standing

_NAMED = 5  # hosts in a line for people


@dataclass(frozen=True)
class Limits:
    """How long a host must stay well, how long one may be silent, and when denials have jumped."""

    settle_s: float
    lost_after_s: float
    factor: float
    floor: int


@dataclass(frozen=True)
class Give:
    """The version to these hosts now."""

    hosts: frozenset[str]


@dataclass(frozen=True)
class Advance:
    """To the next stage."""


@dataclass(frozen=True)
class Finish:
    """Every host that is connected has proved it: those that are away get it when they are back."""


@dataclass(frozen=True)
class Halt:
    why: str


@dataclass(frozen=True)
class Wait:
    why: str


Decision = Give | Advance | Finish | Halt | Wait


def decide(plan: Plan, hosts: Sequence[Host], limits: Limits) -> Decision:
    """A host that has the version counts until it is found lost; one that never was sent it is away, and does not."""
    having = [host for host in hosts if host.has and not host.excused]
    if why := next(filter(None, (trouble(host, limits) for host in having)), ""):
        return Halt(why)
    due = plan.due(hosts)
    fresh = [host for host in hosts if host.name in due and host.live and not host.has]
    if ready := frozenset(host.name for host in fresh if host.measured):
        return Give(ready)
    if why := _unsettled(having, limits):
        return Wait(why)
    if fresh:
        return Wait(f"{names([host.name for host in fresh])} to tell how much is denied there")
    if due and not any(host.has and (host.live or host.excused) for host in hosts):
        return Wait(f"one of {names(sorted(due))} to come back")
    return Finish() if plan.is_last else Advance()


def failure(host: Host, limits: Limits) -> str:
    """How the version has failed on a host that has it; empty when it has not."""
    if host.standing == Standing.FAILED:
        return f"{host.name} {host.said}"
    if host.silent_s > limits.lost_after_s:
        return f"{host.name} is lost: it was given the version, and is silent for {host.silent_s:.0f} s"
    return ""


def trouble(host: Host, limits: Limits) -> str:
    """What speaks against the version on a host that has it; empty when nothing does."""
    if failed := failure(host, limits):
        return failed
    jumped = next((each for each in host.denials if each.have_jumped(limits.factor, limits.floor)), None)
    return f"{host.name} denies more: {jumped}" if jumped else ""


def note(host: Host, limits: Limits) -> str:
    """How a host stands, for people."""
    if not host.has:
        return "not reached yet" if host.live else "away, not reached yet"
    if why := trouble(host, limits):
        return f"{'set aside: ' if host.excused else ''}{why.removeprefix(host.name).strip()}"
    if not host.live:
        return f"silent for {host.silent_s:.0f} s"
    if host.standing != Standing.PROVED:
        return "has not proved it yet"
    return f"well for {host.well_s:.0f} s"


def names(hosts: Sequence[str]) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return ", ".join(hosts[:_NAMED]) + more


def _unsettled(having: Sequence[Host], limits: Limits) -> str:
    """Whom the stage waits for; empty when all are well for long enough."""
    if found := [host.name for host in having if host.standing != Standing.PROVED]:
        return f"{names(found)} to prove it"
    if found := [host.name for host in having if not host.live]:
        return f"{names(found)} to come back"
    if found := [host.name for host in having if host.well_s < limits.settle_s]:
        least = min(host.well_s for host in having)
        return f"{names(found)} to stay well for {limits.settle_s - least:.0f} s more"
    return ""

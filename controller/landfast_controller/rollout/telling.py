"""Rollouts in their wire form, for people."""

from collections.abc import Sequence

from landfast.v1.rollout_pb2 import Rollout, RolloutHost
from landfast_controller.rollout.decision import Limits, Wait, decide, names, note
from landfast_controller.rollout.placement import Placement
from landfast_controller.rollout.plan import Host, Standing
from landfast_controller.rollout.records import Progress


def message(progress: Progress, hosts: Sequence[Host], placement: Placement, limits: Limits) -> Rollout:
    """A rollout, and how each host stands in it."""
    state, waits_for = _at_once(hosts) if progress.at_once else _staged(progress, hosts, limits)
    made = Rollout(
        version=progress.version,
        state=state,
        stages=progress.stages,
        stage=progress.stage,
        at_once=progress.at_once,
        base=progress.base,
        by=progress.by,
        reason=progress.reason,
        waits_for=waits_for,
        hosts=[_host(host, placement.of(host.name), limits) for host in hosts],
    )
    made.since.FromNanoseconds(progress.since_ns)
    return made


def _at_once(hosts: Sequence[Host]) -> tuple[Rollout.State.ValueType, str]:
    """Nobody conducts it: it is done whenever all hosts that are connected have proved it."""
    left = [host.name for host in hosts if host.live and host.standing != Standing.PROVED]
    return (Rollout.STATE_RUNNING, f"{names(left)} to prove it") if left else (Rollout.STATE_DONE, "")


def _staged(progress: Progress, hosts: Sequence[Host], limits: Limits) -> tuple[Rollout.State.ValueType, str]:
    if progress.state in (Rollout.STATE_PAUSED, Rollout.STATE_HALTED):
        return progress.state, "somebody to resume it, or to roll back"
    if progress.state == Rollout.STATE_DONE:
        return progress.state, ""
    decided = decide(progress.plan, hosts, limits)
    return progress.state, decided.why if isinstance(decided, Wait) else ""


def _host(host: Host, wanted: int, limits: Limits) -> RolloutHost:
    made = RolloutHost(
        name=host.name,
        labels=sorted(host.labels),
        live=host.live,
        wanted=wanted,
        policy_state=host.reported,
        proved=host.standing == Standing.PROVED,
        note=note(host, limits),
    )
    if host.given_ns:
        made.given.FromNanoseconds(host.given_ns)
    return made

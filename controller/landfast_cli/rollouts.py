"""The rollout of the newest version: fetched, and printed."""

from typing import Any

from landfast.event import printable
from landfast.v1.rollout_pb2 import GetRolloutRequest, Rollout, RolloutHost
from landfast_cli import hosts
from landfast_cli.output import json_time, time
from landfast_cli.session import TIMEOUT_S, Session

HEADINGS = ("HOST", "LABELS", "POLICY", "PROVED", "GIVEN", "HOW IT STANDS")
REMEDY = "landfast rollout resume --reason WHY, or landfast policy rollback VERSION --reason WHY"

_STOPPED = (Rollout.STATE_PAUSED, Rollout.STATE_HALTED)


def fetch(session: Session) -> Rollout:
    """NOT_FOUND while there is no policy."""
    return session.rollouts.GetRollout(GetRolloutRequest(), timeout=TIMEOUT_S).rollout


def announced(session: Session) -> str:
    """How the version that was just accepted goes out; nothing when to all hosts at once."""
    rollout = fetch(session)
    return "" if rollout.at_once else f", in stages ({', '.join(rollout.stages)}): landfast rollout status"


def state(rollout: Rollout) -> str:
    return Rollout.State.Name(rollout.state).removeprefix("STATE_").lower()


def stage(rollout: Rollout) -> str:
    """`stage 2 of 4 (10%)`."""
    if rollout.at_once:
        return "all hosts at once"
    return f"stage {rollout.stage + 1} of {len(rollout.stages)} ({rollout.stages[rollout.stage]})"


def line(rollout: Rollout) -> str:
    """Where it stands: `policy 8: running, stage 2 of 4 (10%); waits for hall-1`."""
    waits = f"waits for {rollout.waits_for}" if rollout.waits_for else ""
    what = rollout.reason if rollout.state in _STOPPED else waits
    return f"{_where(rollout)}{f'; {printable(what)}' if what else ''}"


def _where(rollout: Rollout) -> str:
    return f"policy {rollout.version}: {state(rollout)}, {stage(rollout)}"


def description(rollout: Rollout) -> str:
    """Lines above the table."""
    lines = [f"{_where(rollout)} since {time(rollout.since)} UTC; before it: policy {rollout.base or '-'}"]
    if rollout.by:
        lines.append(f"{_short(rollout.by)}: {printable(rollout.reason)}")
    if waits := REMEDY if rollout.state in _STOPPED else printable(rollout.waits_for):
        lines.append(f"waits for: {waits}")
    return "\n".join(lines)


def row(host: RolloutHost) -> tuple[str, ...]:
    labels, proved = ",".join(host.labels) or "-", "yes" if host.proved else "no"
    return host.name, labels, hosts.version(host), proved, time(host.given), printable(host.note)


def document(rollout: Rollout) -> dict[str, Any]:
    return {
        "version": rollout.version,
        "state": state(rollout),
        "stages": list(rollout.stages),
        "stage": rollout.stages[rollout.stage],
        "since": json_time(rollout.since),
        "at_once": rollout.at_once,
        "base": rollout.base,
        "by": rollout.by,
        "reason": rollout.reason,
        "waits_for": rollout.waits_for,
        "hosts": [_host(host) for host in rollout.hosts],
    }


def _host(host: RolloutHost) -> dict[str, Any]:
    return {
        "name": host.name,
        "labels": list(host.labels),
        "live": host.live,
        "version": host.policy_state.version,
        "wanted": host.wanted,
        "proved": host.proved,
        "map_digest": host.policy_state.map_digest.hex(),
        "given": json_time(host.given),
        "note": printable(host.note),
    }


def _short(actor: str) -> str:
    return actor.partition("//")[2].partition("/")[2]

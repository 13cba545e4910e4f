"""`landfast-agent status`: what is enforced on this host, by whom, and how well it is recorded."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from itertools import chain
from typing import Any

import click

from landfast.policy.model import Mode, Policy
from landfast.verdict import Stage
from landfast_agent import devices, event_key, loader, netns, privileges, slots, tasks
from landfast_agent.ask import ask
from landfast_agent.clock import Clock
from landfast_agent.errors import AgentError, Unavailable
from landfast_agent.instance import Instance
from landfast_agent.maps import Maps
from landfast_agent.policy_store import PolicyStore
from landfast_agent.slots import Loaded
from landfast_agent.words import date, duration, paragraph, require_root, size, table

_COUNTERS = ("decided", "allowed", "denied", "would_deny", "cached", "submitted", "lost", "canary")
_PER_STAGE = 8  # LF_COUNTERS
_NAMELESS = Policy(0, (), {}, {})  # stands for one whose file is gone
_FAILURES = (
    "task_map",
    "socket_storage",
    "heard_map",
    "cgroup_map",
    "cgroup_path",
    "signal",
    "image_map",
)


def _hooks(instance: Instance) -> list[dict[str, Any]]:
    return [{"hook": s.hook.title, "program": s.prog_id, "problem": s.problem} for s in loader.inspect(instance)]


def _policy(instance: Instance, maps: Maps) -> dict[str, Any]:
    loaded = slots.dump(maps, Clock(instance.state / "clock"))
    if loaded is None:
        return {"version": 0, "problem": "no policy is loaded: every tagged process is denied everything"}
    store = PolicyStore(instance.state / "policies")
    policy = store.policy_of(loaded.version) or _NAMELESS
    modes = dict.fromkeys(policy.names(loaded.enforced), Mode.ENFORCE.value)
    modes |= dict.fromkeys(policy.names(loaded.audited), Mode.AUDIT.value)
    return {
        "version": loaded.version,
        "digest": loaded.policy_digest.hex(),
        "map_digest": loaded.digest.hex(),
        "classes": policy.names(loaded.classes),
        "modes": modes,
        "problem": _policy_problem(policy, loaded),
    }


def _policy_problem(policy: Policy, loaded: Loaded) -> str:
    if policy is not _NAMELESS and (others := slots.other_modes(policy, loaded)):
        return f"the kernel's maps were altered{others}"
    return "" if loaded.deadlines_true else "expiry deadlines disagree with the clock"


def _counters(maps: Maps) -> dict[str, dict[str, int]]:
    raw = maps.counters()
    stages = {stage.name.lower(): dict(zip(_COUNTERS, raw[stage * _PER_STAGE :], strict=False)) for stage in Stage}
    failures = dict(zip(_FAILURES, raw[len(Stage) * _PER_STAGE :], strict=False))
    return {name: _without_canary(counts) for name, counts in stages.items()} | {"failures": failures}


def _without_canary(counts: dict[str, int]) -> dict[str, int]:
    """What the canary was refused is a proof, and no statistics."""
    own = counts["canary"]
    return {name: count - own * (name in ("decided", "denied", "submitted")) for name, count in counts.items()}


def _outside(tgids: list[int]) -> dict[str, Any]:
    """Tagged processes that hold what undoes enforcement, and all that they hold."""
    held = [found for tgid in tgids if (found := privileges.held_by(tgid))]
    return {"processes": len(held), "hold": list(dict.fromkeys(chain.from_iterable(held)))}


def _event_key(instance: Instance) -> str:
    """Empty when there is none that can be used: the daemon tells why."""
    with suppress(Unavailable):
        return event_key.text_of(event_key.path_in(instance.state))
    return ""


def gather(instance: Instance) -> dict[str, Any]:
    """Everything that `status` shows. Raises Unavailable when the instance is not loaded."""
    daemon = None
    with suppress(Unavailable):
        daemon = ask(instance, "status", timeout_s=2)
    with Maps(instance) as maps:
        tagged = [task.tgid for task in tasks.everything(maps)]
        namespaces = netns.of_threads([daemon["pid"] if daemon else os.getpid(), *tagged])
        found: dict[str, Any] = {
            "instance": instance.name,
            "tier": "BPF LSM" if loader.offers_lsm(instance) else "cgroup hooks",
            "hooks": _hooks(instance),
            "devices": [asdict(state) for state in devices.inspect(instance, namespaces)],
            "policy": _policy(instance, maps),
            "tagged_processes": len(tagged),
            "outside_promise": _outside(tagged),
            "counters": _counters(maps),
            "event_key": _event_key(instance),
            "daemon": daemon,
        }
    found["problems"] = _problems(found)
    return found


def _problems(found: dict[str, Any]) -> list[str]:
    problems = [f"hook {hook['hook']}: {hook['problem']}" for hook in found["hooks"] if hook["problem"]]
    problems += [
        f"{devices.title(device['name'], device['namespace'])}: {device['problem']}"
        for device in found["devices"]
        if device["problem"]
    ]
    problems += [found["policy"]["problem"]] if found["policy"]["problem"] else []
    if found["daemon"] is None:
        problems.append("the daemon is not running: enforcement goes on, events wait in the kernel's ring")
    else:
        problems += found["daemon"]["problems"]
    lost = sum(stage.get("lost", 0) for stage in found["counters"].values())
    problems += [f"{lost} events were lost since the agent was loaded"] if lost else []
    failures = [f"{count} x {name}" for name, count in found["counters"]["failures"].items() if count]
    return problems + ([f"kernel failures, all on the side of refusal: {', '.join(failures)}"] if failures else [])


@click.command("status", short_help="Show what is enforced on this host.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(instance: Instance, as_json: bool) -> None:
    """Shows hooks, policy version and digest read back from the kernel's maps, counters, spool and uplink.

    Exit status 0 when all is well, 1 when something is listed under `problems`, 3 when nothing is loaded. Tagged
    processes outside the promise, since they hold what undoes enforcement, are counted and are no problem: somebody
    has started them so, and `ps` names them. Works without the daemon.

    \b
    Examples:
      landfast-agent status
      landfast-agent status --json | jq .policy.version
    """
    require_root()
    try:
        found = gather(instance)
    except AgentError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"instance": instance.name, "problems": [str(error)]}))
        sys.exit(error.status)
    click.echo(json.dumps(found) if as_json else _text(found))
    sys.exit(1 if found["problems"] else 0)


def _text(found: dict[str, Any]) -> str:
    hooks = found["hooks"]
    attached = sum(1 for hook in hooks if hook["program"] and not hook["problem"])
    wanted = sum(1 for hook in hooks if hook["program"] or hook["problem"])
    policy = found["policy"]
    lines = [
        f"instance    {found['instance']}",
        f"enforcing   {attached} of {wanted} hooks attached, {found['tagged_processes']} processes tagged",
        f"tier        {found['tier']}",
        f"            {_watched(found['devices'])}",
        *_outside_lines(found["outside_promise"]),
        paragraph(f"policy      version {policy['version']}, classes {_classes(policy)}", 12),
        f"            maps read back: {policy.get('map_digest', '')[:16] or '-'}",
        f"event key   {found['event_key'] or 'none'}",
        *_daemon_lines(found["daemon"]),
        "",
        _stage_table(found["counters"]),
    ]
    problems = [paragraph(f"problem: {problem}", 9) for problem in found["problems"]]
    return "\n".join([*lines, "", *(problems or ["no problems"])])


def _watched(links: list[dict[str, Any]]) -> str:
    watched = sum(1 for link in links if not link["problem"])
    namespaces = len({link["namespace"] for link in links})
    where = f", in {namespaces} network namespaces" if namespaces > 1 else ""
    return f"{watched} of {len(links)} network links watched{where}"


def _outside_lines(outside: dict[str, Any]) -> list[str]:
    if not outside["processes"]:
        return []
    what = f"{outside['processes']} of them hold {', '.join(outside['hold'])}: outside the promise, see `ps`"
    return [paragraph(f"            {what}", 12)]


def _classes(policy: dict[str, Any]) -> str:
    modes = policy.get("modes", {})
    return ", ".join(name if mode == Mode.ENFORCE else f"{name} ({mode})" for name, mode in modes.items()) or "(none)"


def _daemon_lines(daemon: dict[str, Any] | None) -> list[str]:
    if daemon is None:
        return ["daemon      not running"]
    spool, uplink = daemon["spool"], daemon["uplink"]
    link = "none: standalone"
    if uplink is not None:
        link = f"{uplink['controller']} {'connected' if uplink['connected'] else 'not connected'}"
    up, resident = duration(daemon["uptime_s"]), size(daemon["resident_bytes"])
    return [
        f"daemon      pid {daemon['pid']}, up {up}, {resident} resident",
        f"spool       {spool['last_sequence']} events recorded, {spool['waiting']} waiting, {size(spool['bytes'])}",
        f"canary      {_canary(daemon['canary'])}",
        f"controller  {link}",
        *_trust_lines(daemon["trust"]),
        *_identity_lines(uplink),
        *_shadow_lines(daemon["shadow"]),
    ]


def _trust_lines(trust: dict[str, Any] | None) -> list[str]:
    if trust is None:
        return []
    fresh = f"policy fresh until {trust['fresh_until']}" if trust["fresh_until"] else "no policy yet"
    return [f"trust       root {trust['root']} of {trust['fingerprint']}, {fresh}"]


def _identity_lines(uplink: dict[str, Any] | None) -> list[str]:
    expires = uplink and uplink["identity"]["expires"]
    return [f"identity    certificate until {date(expires)}"] if expires else []


def _shadow_lines(shadow: dict[str, Any] | None) -> list[str]:
    if shadow is None:
        return []
    told = f"{shadow['newly_denied']} newly denied, {shadow['newly_allowed']} newly allowed, for now"
    return [f"shadow      {shadow['digest'][:16]} judges too, until {shadow['until']}: {told}"]


def _canary(canary: dict[str, Any]) -> str:
    passed = canary["passed_seconds_ago"]
    if passed is None:
        return "has not been refused yet"
    spared = f"; nothing is forbidden to {', '.join(canary['spared'])}" if canary["spared"] else ""
    return f"{canary['refusals']} attempts refused and recorded, {duration(passed)} ago{spared}"


def _stage_table(counters: dict[str, dict[str, int]]) -> str:
    heads = ("STAGE", "DECIDED", "ALLOWED", "DENIED", "WOULD DENY", "CACHED", "LOST")
    keys = ("decided", "allowed", "denied", "would_deny", "cached", "lost")
    rows = [(name, *(str(values[key]) for key in keys)) for name, values in counters.items() if name != "failures"]
    return table(heads, rows)

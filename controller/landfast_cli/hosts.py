"""Hosts, as they are printed."""

import time as clock
from collections.abc import Iterator
from typing import Any

from landfast import event_key
from landfast.event import printable
from landfast.policy.model import Mode
from landfast.v1.agent_pb2 import PolicyState
from landfast.v1.fleet_pb2 import Host
from landfast.v1.rollout_pb2 import RolloutHost
from landfast_cli.output import json_time, time

HEADINGS = ("HOST", "CONNECTED", "POLICY", "STATE", "LAST SEEN", "EVENTS", "LOST")


def row(host: Host) -> tuple[str, ...]:
    events, lost = str(host.last_sequence), str(host.health.lost_events) if host.connected else "-"
    return host.name, connected(host), version(host), state(host), time(host.last_seen), events, lost


def connected(host: Host) -> str:
    """`yes` or `no`, or why it cannot be."""
    if host.HasField("ban"):
        return "banned"
    if not host.HasField("identity_expires"):
        return "evicted"
    return "yes" if host.connected else "no"


def way_back(host: Host) -> str:
    """How a host that was shut out comes back."""
    if host.HasField("ban"):
        return f"it is banned besides: landfast fleet unban {host.name} --reason WHY"
    if not host.HasField("identity_expires"):
        return f"it may enrol again: landfast fleet token create --host {host.name} --out F"
    return f"its certificate is good until {time(host.identity_expires)} UTC"


def version(host: Host | RolloutHost) -> str:
    """`7`, or `7 -> 8` while a newer one is meant for it."""
    held = str(host.policy_state.version or "-")
    return held if host.wanted in (host.policy_state.version, 0) else f"{held} -> {host.wanted}"


def state(host: Host) -> str:
    """`proved`, or how far the host has come."""
    return "proved" if host.proved else _name(host.policy_state.state)


def modes(policy: PolicyState) -> dict[str, str]:
    """Mode of each class, as the host has read it back from its kernel."""
    enforced = dict.fromkeys(map(printable, policy.enforced), Mode.ENFORCE.value)
    return enforced | dict.fromkeys(map(printable, policy.audited), Mode.AUDIT.value)


def document(host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "connected": host.connected,
        "proved": host.proved,
        "enrolled": json_time(host.enrolled),
        "identity_expires": json_time(host.identity_expires),
        "ban": _ban(host),
        "last_seen": json_time(host.last_seen),
        "event_key": event_key.text(host.event_key),
        "labels": list(host.labels),
        "wanted": host.wanted,
        "policy": _policy(host.policy_state),
        "modes": modes(host.policy_state),
        "agent_version": host.hello.agent_version,
        "kernel": host.hello.kernel,
        "boot_id": host.hello.boot_id,
        "hooks": list(host.hello.hooks),
        "tagged_processes": host.health.tagged_processes,
        "spooled_events": host.health.spooled_events,
        "lost_events": host.health.lost_events,
        "problems": list(map(printable, host.health.problems)),
        "last_sequence": host.last_sequence,
    }


def description(host: Host) -> Iterator[str]:
    """Lines for people."""
    policy = host.policy_state
    yield f"host        {host.name}, enrolled {time(host.enrolled)} UTC"
    yield f"identity    {_identity(host)}"
    yield f"event key   {event_key.text(host.event_key)}"
    yield from _ban_line(host)
    yield f"labels      {', '.join(host.labels) or '-'}"
    yield f"connected   {'yes' if host.connected else 'no'}, last seen {time(host.last_seen)} UTC"
    yield f"agent       {host.hello.agent_version or '-'}, kernel {host.hello.kernel or '-'}"
    yield f"hooks       {', '.join(host.hello.hooks) or '-'}"
    yield f"policy      {version(host)}, {state(host)}" + (f": {policy.reason}" if policy.reason else "")
    told = ", ".join(f"{name} ({mode})" for name, mode in modes(policy).items())
    yield f"classes     {told or '-'}"
    yield f"map digest  {policy.map_digest.hex() or '-'}"
    yield f"tagged      {host.health.tagged_processes} processes"
    waiting, lost = host.health.spooled_events, host.health.lost_events
    yield f"events      {host.last_sequence} stored, {waiting} waiting, {lost} lost"
    yield from (f"problem     {printable(problem)}" for problem in host.health.problems)


def _identity(host: Host) -> str:
    if not host.HasField("identity_expires"):
        return "none: it was evicted, and may enrol again with a token of its name"
    expired = host.identity_expires.ToNanoseconds() <= clock.time_ns()
    return f"certificate until {time(host.identity_expires)} UTC{', expired' if expired else ''}"


def _ban(host: Host) -> dict[str, Any] | None:
    if not host.HasField("ban"):
        return None
    return {"since": json_time(host.ban.since), "by": host.ban.by, "reason": printable(host.ban.reason)}


def _ban_line(host: Host) -> Iterator[str]:
    if host.HasField("ban"):
        yield f"banned      since {time(host.ban.since)} UTC by {host.ban.by}: {printable(host.ban.reason)}"


def _policy(policy: PolicyState) -> dict[str, Any]:
    return {
        "version": policy.version,
        "state": _name(policy.state),
        "digest": policy.digest.hex(),
        "map_digest": policy.map_digest.hex(),
        "reason": policy.reason,
    }


def _name(state: PolicyState.State.ValueType) -> str:
    return "none" if not state else PolicyState.State.Name(state).removeprefix("STATE_").lower()

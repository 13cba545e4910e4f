"""Decisions of the kernel: Network Activity, or Kernel Activity where a call came before any destination."""

from typing import Any

from landfast.verdict import Protocol
from landfast_cli.ocsf.common import (
    HOST,
    SECURITY_CONTROL,
    EventClass,
    Severity,
    device,
    milliseconds,
    process,
    stated,
    unmapped,
)

_NETWORK = EventClass(4001, "Network Activity", 4, (HOST, SECURITY_CONTROL))
_KERNEL = EventClass(1003, "Kernel Activity", 1, (HOST, SECURITY_CONTROL))

_OPEN, _TRAFFIC, _INVOKE = (1, "Open"), (6, "Traffic"), (4, "Invoke")
_INBOUND, _OUTBOUND, _LOCAL = (1, "Inbound"), (2, "Outbound"), (4, "Local")

#: By verdict: action, disposition, severity.
_OUTCOMES = {
    "ALLOW": ((1, "Allowed"), (1, "Allowed"), Severity.INFORMATIONAL),
    "DENY": ((2, "Denied"), (2, "Blocked"), Severity.MEDIUM),
    "WOULD_DENY": ((3, "Observed"), (15, "Detected"), Severity.LOW),
}
_UNKNOWN = ((0, "Unknown"), (0, "Unknown"), Severity.MEDIUM)

_REST = ("reason", "stage", "classes", "missing", "family", "socket_type", "socket", "serving", "canary", "listener")


def translate(document: dict[str, Any]) -> dict[str, Any]:
    """A decision. What the agent's own canary was refused is no alert: a refusal is what it is there for."""
    action, disposition, severity = _OUTCOMES.get(document["verdict"], _UNKNOWN)
    alert = document["verdict"] != "ALLOW" and not document["canary"]
    return _what(document, severity if alert else Severity.INFORMATIONAL) | stated(
        device=device(document),
        actor={"process": process(document)},
        action_id=action[0],
        action=action[1],
        disposition_id=disposition[0],
        disposition=disposition[1],
        is_alert=alert,
        policy={"name": "allowlist", "version": str(document["policy_version"]), "is_applied": action[0] != 3},
        firewall_rule=_rule(document),
        status_id=2 if document["verdict"] == "DENY" else 0,
        status="Failure" if document["verdict"] == "DENY" else "Unknown",
        status_code=document["reason"],
        unmapped=unmapped(document, *_REST),
    )


def _what(document: dict[str, Any], severity: Severity) -> dict[str, Any]:
    if document["stage"] in ("CREATE", "SYSCALL"):
        return _KERNEL.event(document, _INVOKE, severity, document["reason"]) | {"kernel": _call(document)}
    activity = _OPEN if document["stage"] == "CONNECT" else _TRAFFIC
    return _NETWORK.event(document, activity, severity, document["reason"]) | _flow(document)


def _call(document: dict[str, Any]) -> dict[str, Any]:
    name = document["call"] or "socket"
    hook = name.startswith("lsm/")
    return {"name": name, "type_id": 99 if hook else 2, "type": "LSM hook" if hook else "System Call"}


def _flow(document: dict[str, Any]) -> dict[str, Any]:
    """Who serves answers: then the other side is the initiator."""
    here, there = _here(document), _there(document)
    if document["serving"]:
        here, there = there, here
    return stated(
        src_endpoint=here,
        dst_endpoint=there,
        is_src_dst_assignment_known=document["stage"] == "CONNECT" or document["serving"],
        connection_info=_connection(document),
        **_traffic(document),
    )


def _traffic(document: dict[str, Any]) -> dict[str, Any]:
    """Of a flow: how much, and in which interval."""
    traffic = document["traffic"]
    if traffic is None:
        return {}
    begin, end = milliseconds(traffic["since"]), milliseconds(document["time"])
    counts = {name: traffic[name] for name in ("bytes_out", "bytes_in", "packets_out", "packets_in")}
    sums = {what: traffic[f"{what}_out"] + traffic[f"{what}_in"] for what in ("bytes", "packets")}
    return {"traffic": counts | sums, "start_time": begin, "end_time": end, "duration": end - begin}


def _here(document: dict[str, Any]) -> dict[str, Any]:
    interface = str(document["interface"] or "")
    return stated(hostname=document["host"], port=document["local_port"] or None, interface_uid=interface)


def _there(document: dict[str, Any]) -> dict[str, Any]:
    if document["unix_name"]:
        return {"name": f"unix:{document['unix_name']}"}
    return stated(ip=document["remote"], port=document["port"] or None)


def _connection(document: dict[str, Any]) -> dict[str, Any]:
    direction = _LOCAL if document["local"] or document["stage"] == "UNIX" else _OUTBOUND
    direction = _INBOUND if document["serving"] and direction == _OUTBOUND else direction
    version = None if document["remote"] is None else 6 if ":" in document["remote"] else 4
    return stated(
        direction_id=direction[0],
        direction=direction[1],
        protocol_ver_id=version,
        boundary_id=1 if direction == _LOCAL else None,
        **(_protocol(document["protocol"], version) if version else {}),
    )


def _protocol(name: str, version: int) -> dict[str, Any]:
    """Name and number of IANA: what a policy calls ICMP is another protocol in IPv6."""
    if (name, version) == ("icmp", 6):
        return {"protocol_name": "ipv6-icmp", "protocol_num": 58}
    known = Protocol.__members__.get(name.upper())
    return {"protocol_name": name, "protocol_num": int(known)} if known else {"protocol_num": int(name)}


def _rule(document: dict[str, Any]) -> dict[str, Any] | None:
    rule = document["rule"]
    return stated(uid=f"{document['policy_version']}/{rule['number']}", desc=rule["text"]) if rule else None

"""Notices of agents: Detection Findings where they tell of trouble, Base Events where all is well."""

from typing import Any

from landfast_cli.ocsf.common import HOST, EventClass, Severity, device, unmapped

_FINDING = EventClass(2004, "Detection Finding", 2, (HOST,))
_BASE = EventClass(0, "Base Event", 0, (HOST,))
_CREATE, _OTHER = (1, "Create"), 99

#: Notices that tell of trouble.
_TROUBLE = {
    "CANARY_FAILED": Severity.CRITICAL,
    "MAPS_ALTERED": Severity.HIGH,
    "HOOKS_ALTERED": Severity.HIGH,
    "TAGS_ALTERED": Severity.HIGH,
    "UNLOADED": Severity.HIGH,
    "BREAK_GLASS": Severity.HIGH,
    "LOST": Severity.MEDIUM,
    "FOLDED": Severity.MEDIUM,
    "GAP": Severity.MEDIUM,
    "STALE_POLICY": Severity.MEDIUM,
    "POLICY_REJECTED": Severity.MEDIUM,
    "TAG_REFUSED": Severity.MEDIUM,
    "UNLOAD_REFUSED": Severity.MEDIUM,
    "CLOCK_STEPPED": Severity.LOW,
}


def translate(document: dict[str, Any]) -> dict[str, Any]:
    kind = document["notice"]
    severity = _TROUBLE.get(kind)
    if severity:
        finding = {"uid": document["id"], "title": kind, "desc": document["text"]}
        made = _FINDING.event(document, _CREATE, severity, kind) | {"finding_info": finding, "is_alert": True}
    else:
        made = _BASE.event(document, (_OTHER, kind), Severity.INFORMATIONAL, kind)
    return made | {"message": document["text"], "device": device(document), "unmapped": unmapped(document, "fields")}

"""What was done to the deployment: Entity Management."""

from typing import Any

from landfast_cli.ocsf.common import EventClass, Severity, stated, unmapped

_CLASS = EventClass(3004, "Entity Management", 3, ())

#: Those of our actions that the schema has a word for.
_ACTIVITIES = {
    "POLICY_VERSION": (1, "Create"),
    "TOKEN_CREATED": (1, "Create"),
    "IDENTITY_CREATED": (1, "Create"),
    "CHANGE_PROPOSED": (1, "Create"),
    "LOG_READ": (2, "Read"),
    "RETENTION_POLICY": (3, "Update"),
    "LOG_PRUNED": (4, "Delete"),
    "HOST_ENROLLED": (6, "Enroll"),
    "HOST_EVICTED": (7, "Unenroll"),
    "HOST_BANNED": (12, "Suspend"),
    "HOST_UNBANNED": (13, "Resume"),
}
_OTHER = 99


def translate(document: dict[str, Any]) -> dict[str, Any]:
    action = document["action"]
    severity = Severity.HIGH if action == "BREAK_GLASS" else Severity.INFORMATIONAL
    return _CLASS.event(document, _ACTIVITIES.get(action, (_OTHER, action)), severity, action) | stated(
        actor={"user": {"uid": document["actor"]}} if document["actor"] else None,
        entity={"name": document["subject"] or "deployment"},
        message=document["text"],
        unmapped=unmapped(document, "fields"),
    )

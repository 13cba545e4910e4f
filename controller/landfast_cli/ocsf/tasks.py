"""Executions of tagged processes, and processes that their cgroup tagged: Process Activity."""

from typing import Any

from landfast_cli.ocsf.common import HOST, EventClass, Severity, device, process, stated, unmapped

_CLASS = EventClass(1007, "Process Activity", 1, (HOST,))
_LAUNCH, _OTHER = (1, "Launch"), 99


def translate(document: dict[str, Any]) -> dict[str, Any]:
    """The actor is the process itself: who started it is known by number alone."""
    activity = _LAUNCH if document["reason"] == "EXEC" else (_OTHER, document["reason"])
    subject = process(document)
    return _CLASS.event(document, activity, Severity.INFORMATIONAL, document["reason"]) | stated(
        device=device(document),
        actor={"process": subject.get("parent_process", subject)},
        process=subject,
        unmapped=unmapped(document, "classes"),
    )

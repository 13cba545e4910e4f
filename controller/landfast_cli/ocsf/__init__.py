"""Events as OCSF 1.8 (https://schema.ocsf.io/1.8.0): each JSON object of docs/events.md becomes one of that schema.

What is decided about an address or a socket's name is a Network Activity (4001), as is what a socket has sent and
received, what is decided about a call a Kernel
Activity (1003), an execution a Process Activity (1007); notices that tell of trouble are Detection Findings (2004),
the others Base Events (0); what was done to the deployment is Entity Management (3004). What the schema has no place
for is in `unmapped`, under the names of docs/events.md.
"""

from typing import Any

from landfast_cli.ocsf import controls, decisions, notices, tasks

_TRANSLATORS = {
    "decision": decisions.translate,
    "flow": decisions.translate,
    "task": tasks.translate,
    "notice": notices.translate,
    "control": controls.translate,
}


def translate(document: dict[str, Any]) -> dict[str, Any]:
    """One object of `landfast events follow --format json`, in OCSF."""
    return _TRANSLATORS[document["kind"]](document)

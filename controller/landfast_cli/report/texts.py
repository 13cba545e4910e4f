"""What a report says in words that others chose: neutralised, and never longer than a reader bears."""

from datetime import UTC, datetime

from landfast.event import printable
from landfast.v1.audit_pb2 import ControlAction
from landfast_cli.printing import short

#: Characters of a text. Reasons are shorter; a longer name is somebody's attempt to hide the rest of the page.
LONGEST = 400

_LAST_NS = 253402300799 * 10**9  # 9999-12-31T23:59:59Z


def told(text: str) -> str:
    """`text` with control characters escaped; of a longer one its beginning, and how long it is."""
    return printable(text) if len(text) <= LONGEST else f"{printable(text[:LONGEST])}… ({len(text)} characters)"


def who(action: ControlAction) -> str:
    """Who did it: `approver/alice`."""
    return told(short(action.actor) or action.actor)


def utc(unix_ns: int) -> str:
    """RFC 3339 in UTC, to the second below; a time that the calendar cannot hold as its first or last one."""
    seconds = max(0, min(unix_ns, _LAST_NS)) // 10**9
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

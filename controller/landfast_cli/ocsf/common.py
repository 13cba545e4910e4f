"""What every class of OCSF has, and the objects that several of them share."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

#: Version of the schema that is written.
VERSION = "1.8.0"

HOST, SECURITY_CONTROL = "host", "security_control"


class Severity(IntEnum):
    """The schema's severity_id."""

    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5


@dataclass(frozen=True)
class EventClass:
    """A class of the schema, with the profiles that we apply to it."""

    uid: int
    name: str
    category: int
    profiles: tuple[str, ...]

    def event(
        self, document: dict[str, Any], activity: tuple[int, str], severity: Severity, code: str
    ) -> dict[str, Any]:
        """The attributes that every class has. `code` is our own name for what happened."""
        activity_id, activity_name = activity
        return {
            "class_uid": self.uid,
            "class_name": self.name,
            "category_uid": self.category,
            "activity_id": activity_id,
            "activity_name": activity_name,
            "type_uid": 100 * self.uid + activity_id,
            "severity_id": int(severity),
            "severity": severity.name.capitalize(),
            "time": milliseconds(document["time"]),
            "metadata": self._metadata(document, code),
        }

    def _metadata(self, document: dict[str, Any], code: str) -> dict[str, Any]:
        return {
            "version": VERSION,
            "profiles": list(self.profiles),
            "product": {"name": "Landfast", "vendor_name": "Landfast", "version": _product_version()},
            "uid": document["id"],
            "sequence": int(document["id"].rpartition("/")[2]),
            "event_code": code,
            "logged_time": milliseconds(document["received"]),
        }


def device(document: dict[str, Any]) -> dict[str, Any]:
    """The host that recorded the event."""
    return {"hostname": document["host"], "type_id": 1, "type": "Server", "boot_uid": document["boot_id"]}


def process(document: dict[str, Any]) -> dict[str, Any]:
    """The process that was decided about, as far as it is known."""
    known = document["process"]
    path = known["executable"]
    file = {"path": path, "name": path.rpartition("/")[2] or path, "type_id": 8, "type": "Executable File"}
    return stated(
        pid=known["pid"],
        tid=known["tid"],
        uid=f"{document['boot_id']}/{known['pid']}/{known['started']}",
        name=known["name"],
        cmd_line=known["command_line"],
        file=file if path else None,
        user=stated(uid=str(known["uid"]), name=known["user"]),
        parent_process={"pid": known["parent"]} if known["parent"] else None,
    )


def stated(**attributes: Any) -> dict[str, Any]:
    """Those of the attributes that say something."""
    return {name: value for name, value in attributes.items() if value not in (None, "", [], {})}


def unmapped(document: dict[str, Any], *names: str) -> dict[str, Any]:
    """What the schema has no place for: the log's index, and what is named."""
    within = {name: document["process"][name] for name in ("cgroup", "unit", "container") if "process" in document}
    return {"index": document["index"]} | stated(**{name: document[name] for name in names}, process=stated(**within))


def milliseconds(time: str) -> int:
    """Since 1970, from RFC 3339; nanoseconds are cut off."""
    return int(datetime.fromisoformat(time).timestamp() * 1000)


@cache
def _product_version() -> str:
    try:
        return version("landfast")
    except PackageNotFoundError:
        return "0"

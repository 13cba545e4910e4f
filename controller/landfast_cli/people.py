"""Identities, as they are printed."""

import time as clock
from typing import Any

from landfast.v1.fleet_pb2 import Identity
from landfast_cli.output import json_time, time

HEADINGS = ("NAME", "ROLE", "STATE", "EXPIRES", "CREATED BY")


def row(identity: Identity) -> tuple[str, ...]:
    creator = identity.created_by.partition("//")[2].partition("/")[2]
    return identity.name, identity.role, state(identity), time(identity.expires), creator


def document(identity: Identity) -> dict[str, Any]:
    times = {name: json_time(getattr(identity, name)) for name in ("created", "expires", "revoked")}
    names = {"name": identity.name, "role": identity.role, "created_by": identity.created_by}
    return names | {"state": state(identity)} | times


def state(identity: Identity) -> str:
    if identity.HasField("revoked"):
        return "revoked"
    return "expired" if identity.expires.ToNanoseconds() <= clock.time_ns() else "valid"

"""Entries of the log as lines of text, or as one JSON object for each event."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from landfast import batch, render
from landfast.event import printable
from landfast.v1.audit_pb2 import ControlAction, SubscribeResponse
from landfast_cli.matching import Filter

_PREFIX = "KIND_"

Printer = Callable[[SubscribeResponse, Filter], Iterator[str]]


def text(response: SubscribeResponse, wanted: Filter) -> Iterator[str]:
    """One line for each event: the index of the entry that it is part of, the date, and what a host shows."""
    if response.WhichOneof("entry") == "control":
        if wanted.everything:
            yield f"{response.index} {_control_line(ControlAction.FromString(response.control))}"
        return
    view = batch.decode(response.batch)
    for _, item in wanted.of(view):
        yield f"{response.index} {render.day(view, item)} {render.line(view, item)}"


def documents(response: SubscribeResponse, wanted: Filter) -> Iterator[str]:
    """One JSON object for each event."""
    return map(_json, _documents(response, wanted))


def ocsf(response: SubscribeResponse, wanted: Filter) -> Iterator[str]:
    """The same in OCSF."""
    from landfast_cli.ocsf import translate

    return (_json(translate(document)) for document in _documents(response, wanted))


PRINTERS: dict[str, Printer] = {"text": text, "json": documents, "ocsf": ocsf}


def _documents(response: SubscribeResponse, wanted: Filter) -> Iterator[dict[str, Any]]:
    """What docs/events.md names. `id` names it for ever, `index` is the log entry that it is part of."""
    place = {"index": response.index, "received": response.received.ToJsonString()}
    if response.WhichOneof("entry") == "control":
        if wanted.everything:
            yield _control_document(ControlAction.FromString(response.control), response.index) | place
        return
    view = batch.decode(response.batch)
    for sequence, item in wanted.of(view):
        yield render.document(view, sequence, item) | place


def _control_line(control: ControlAction) -> str:
    when = control.time.ToDatetime().isoformat(sep=" ", timespec="milliseconds")[:23]
    return f"{when} controller {action_name(control)}  {printable(control.text)} (by {printable(short(control.actor))})"


def _control_document(control: ControlAction, index: int) -> dict[str, Any]:
    return {
        "id": f"controller/{index}",
        "time": control.time.ToJsonString(),
        "kind": "control",
        "action": action_name(control),
        "actor": printable(control.actor),
        "subject": printable(control.subject),
        "text": printable(control.text),
        "fields": {name: printable(value) for name, value in sorted(control.fields.items())},
    }


def action_name(control: ControlAction) -> str:
    """`HOST_ENROLLED` and so on."""
    known = ControlAction.Kind.DESCRIPTOR.values_by_number.get(control.kind)
    return known.name.removeprefix(_PREFIX) if known else str(control.kind)


def short(actor: str) -> str:
    """The id without scheme and domain."""
    return actor.partition("//")[2].partition("/")[2]


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)

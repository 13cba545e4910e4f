"""Events and notices for people (a line of text) and for programs (a JSON object with stable names).

`landfast-agent events` and `landfast events follow` print the same. Names that come from the host (commands, paths,
units) have their control characters escaped.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from socket import AddressFamily, SocketKind
from typing import Any

from landfast import calls
from landfast.batch import BatchView
from landfast.event import Event, Traffic, printable
from landfast.v1.batch_pb2 import Listener, Notice, NoticeKind, Process
from landfast.verdict import Protocol, Reason, Stage, Verdict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX = "NOTICE_KIND_"


def identifier(view: BatchView, sequence: int) -> str:
    """`HOST/SEQUENCE`: names one event for ever."""
    return f"{printable(view.host)}/{sequence}"


def day(view: BatchView, item: Event | Notice) -> str:
    """The UTC date, such as 2026-11-23: a heading for lines, which tell only the time of day."""
    return _time(view, item).strftime("%Y-%m-%d")


def line(view: BatchView, item: Event | Notice) -> str:
    """One line without its end, time in UTC.

    `14:02:07.123 hall-1 DENY  eea-user-data curl[4711] -> 203.0.113.9:443/tcp  NO_RULE policy 7`
    """
    time = _time(view, item).isoformat(timespec="milliseconds")[11:23]
    words = _notice_words(item) if isinstance(item, Notice) else _event_words(view, item)
    return f"{time} {printable(view.host)} {words}"


def document(view: BatchView, sequence: int, item: Event | Notice) -> dict[str, Any]:
    """What `--format json` prints for one event. Names and types are stable; further names may come."""
    common = {
        "id": identifier(view, sequence),
        "time": _text(_time(view, item)),
        "host": printable(view.host),
        "boot_id": view.message.boot_id,
    }
    return common | (_notice_document(item) if isinstance(item, Notice) else _event_document(view, item))


def endpoint(item: Event) -> str:
    """`203.0.113.9:443/tcp`, `[2001:db8::9]:53/udp`, `192.0.2.1/icmp`; empty when the event has no destination."""
    if item.remote is None:
        return ""
    host = f"[{item.remote}]" if item.remote.version == 6 and item.remote_port else str(item.remote)
    port = f":{item.remote_port}" if item.remote_port else ""
    return f"{host}{port}/{protocol(item.protocol)}"


def protocol(number: int) -> str:
    """`tcp`, `udp`, `icmp`, or the IP protocol number."""
    return name(Protocol, number).lower()


def name(kind: type[IntEnum], number: int) -> str:
    """The name of an enumeration's value, or its number when this side does not know it."""
    try:
        return kind(number).name
    except ValueError:
        return str(number)


def notice_kind(number: int) -> str:
    """`AGENT_STARTED` and so on."""
    known = NoticeKind.DESCRIPTOR.values_by_number.get(number)
    return known.name.removeprefix(_PREFIX) if known else str(number)


def _time(view: BatchView, item: Event | Notice) -> datetime:
    """Whole microseconds: a date that the calendar cannot hold is shown as its last one."""
    try:
        return _EPOCH + timedelta(microseconds=view.unix_ns(item) // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _text(time: datetime) -> str:
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _notice_words(notice: Notice) -> str:
    return f"{notice_kind(notice.kind)}  {printable(notice.text)}"


def _event_words(view: BatchView, item: Event) -> str:
    verdict = name(Verdict, item.verdict) if item.verdict else name(Reason, item.reason)
    classes = ",".join(map(printable, view.classes(item.tags)))
    return " ".join((f"{verdict:5}", classes or "-", _actor(view, item), *_action(view, item)))


def _actor(view: BatchView, item: Event) -> str:
    command = view.command(item) or "?"
    port = f":{item.local_port}" if item.serving else ""
    return f"{command}[{item.tgid}]{port}"


def _action(view: BatchView, item: Event) -> Iterator[str]:
    if item.stage == Stage.TASK:
        process = view.process(item)
        yield printable(process.executable) if process else ""
        return
    arrow = "-> " if item.remote or item.stage in (Stage.UNIX, Stage.FLOW) else ""
    amounts = f" FLOW {_amounts(item, item.traffic)} " if item.traffic else ""
    yield f"{arrow}{target(view, item)} {amounts}"
    yield name(Reason, item.reason)
    if item.rule:
        yield str(item.rule)
    yield f"policy {item.version}"
    listener = view.listener(item)
    if listener:
        yield f" {_listener_words(view, item, listener)}"
    elif view.unix_name(item) and item.missing:
        yield " (name it under `peers`)"


def _amounts(item: Event, traffic: Traffic) -> str:
    """`2.0 KiB out, 17 bytes in, 3.2 s`."""
    seconds = (item.time_ns - traffic.since_ns) / 10**9
    return f"{size(traffic.bytes_out)} out, {size(traffic.bytes_in)} in, {seconds:.1f} s"


def size(count: int) -> str:
    """Bytes for people: `17 bytes`, `2.0 KiB`, `3.4 GiB`."""
    if count < 1024:
        return f"{count} bytes"
    amount = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def _listener_words(view: BatchView, item: Event, listener: Listener) -> str:
    """Who listens on the host itself, why that is not enough, and the remedy."""
    if not listener.present:
        return "(nobody listens there)"
    who = f"{printable(listener.comm)}[{listener.tgid}]" if listener.tgid else "a socket that no process holds"
    who += f" of {printable(listener.unit)}" if listener.unit else ""
    lacking = ",".join(map(printable, view.classes(item.tags & ~listener.tags)))
    if not lacking:
        return f"({who} carries every class, and `loopback: deny` refuses it: name it under `peers`)"
    return f"({who} lacks {lacking}: tag it, or name it under `peers`)"


def target(view: BatchView, item: Event) -> str:
    """The destination; where it has none what was asked for, such as `socket(AF_PACKET, SOCK_RAW, 3)`.

    A unix socket is `unix:/run/docker.sock`.
    """
    if item.remote is not None:
        return endpoint(item)
    if item.stage == Stage.FLOW:
        return f"several/{protocol(item.protocol)}"
    if item.stage == Stage.UNIX:
        return f"unix:{printable(view.unix_name(item)) or '?'}"
    if item.stage == Stage.SYSCALL:
        return f"{calls.name(item)}({name(AddressFamily, item.family) if item.family else ''})"
    if item.stage == Stage.DEVICE:
        return f"frame({name(AddressFamily, item.family)}) on interface {item.ifindex}"
    return f"socket({name(AddressFamily, item.family)}, {name(SocketKind, item.type)}, {item.protocol})"


def _notice_document(notice: Notice) -> dict[str, Any]:
    return {
        "kind": "notice",
        "notice": notice_kind(notice.kind),
        "text": printable(notice.text),
        "fields": {printable(key): printable(value) for key, value in sorted(notice.fields.items())},
    }


def _event_document(view: BatchView, item: Event) -> dict[str, Any]:
    return {
        "kind": "flow" if item.traffic else "decision" if item.verdict else "task",
        "verdict": name(Verdict, item.verdict) if item.verdict else None,
        "reason": name(Reason, item.reason),
        "stage": name(Stage, item.stage),
        "classes": list(map(printable, view.classes(item.tags))),
        "missing": list(map(printable, view.classes(item.missing))),
        "remote": str(item.remote) if item.remote else None,
        "port": item.remote_port,
        "protocol": protocol(item.protocol),
        "local_port": item.local_port,
        "local": item.local,
        "serving": item.serving,
        "policy_version": item.version,
        "rule": {"number": item.rule, "text": printable(view.rule(item))} if item.rule else None,
        "family": name(AddressFamily, item.family),
        "socket_type": name(SocketKind, item.type),
        "socket": item.cookie,
        "interface": item.ifindex,
        "call": calls.name(item) if item.stage == Stage.SYSCALL else None,
        "unix_name": printable(view.unix_name(item)) or None,
        "canary": view.is_canary(item),
        "listener": _listener_document(view, item),
        "traffic": _traffic_document(view, item),
        "process": _process_document(view.process(item), item),
    }


def _traffic_document(view: BatchView, item: Event) -> dict[str, Any] | None:
    if item.traffic is None:
        return None
    start = _time(view, item._replace(time_ns=item.traffic.since_ns))
    return {
        "since": _text(start),
        "bytes_out": item.traffic.bytes_out,
        "bytes_in": item.traffic.bytes_in,
        "packets_out": item.traffic.packets_out,
        "packets_in": item.traffic.packets_in,
    }


def _listener_document(view: BatchView, item: Event) -> dict[str, Any] | None:
    listener = view.listener(item)
    if listener is None:
        return None
    return {
        "present": listener.present,
        "pid": listener.tgid,
        "name": printable(listener.comm),
        "unit": printable(listener.unit),
        "classes": list(map(printable, view.classes(listener.tags))),
        "lacks": list(map(printable, view.classes(item.tags & ~listener.tags))),
    }


def _process_document(process: Process | None, item: Event) -> dict[str, Any]:
    known = process or Process()
    texts = ("executable", "command_line", "user", "cgroup", "unit", "container")
    return {
        "pid": item.tgid,
        "tid": item.tid,
        "uid": item.uid,
        "parent": known.parent,
        "name": item.comm or printable(known.comm),
        "started": item.image,
    } | {text: printable(getattr(known, text)) for text in texts}

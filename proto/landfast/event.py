"""The kernel's record of one event: `struct lf_event` of bpf/landfast.h, layout 3.

Reading one record costs no numpy, so that the CLI starts fast; `numpy_type()` is for those who read by the thousand.
"""

import struct
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, NamedTuple

from landfast.verdict import Stage

if TYPE_CHECKING:
    import numpy as np

#: Names, `struct` codes and numpy types of the fields, in the order of the C struct; host byte order, no holes.
FIELDS = (
    ("time_ns", "Q", "u8"),
    ("tags", "Q", "u8"),
    ("missing", "Q", "u8"),
    ("cookie", "Q", "u8"),
    ("cgroup_id", "Q", "u8"),
    ("image", "Q", "u8"),
    ("version", "Q", "u8"),
    ("tgid", "I", "u4"),
    ("tid", "I", "u4"),
    ("uid", "I", "u4"),
    ("rule", "I", "u4"),
    ("stage", "B", "u1"),
    ("verdict", "B", "u1"),
    ("reason", "B", "u1"),
    ("protocol", "B", "u1"),
    ("family", "B", "u1"),
    ("type", "B", "u1"),
    ("flags", "B", "u1"),
    ("pad", "B", "u1"),
    ("remote_port", "H", "u2"),
    ("local_port", "H", "u2"),
    ("ifindex", "I", "u4"),
    ("comm", "16s", "S16"),
    ("remote", "16s", "V16"),
    ("detail", "Q", "u8"),
)

LAYOUT = struct.Struct("=" + "".join(code for _, code, _ in FIELDS))

#: Size of one record in bytes.
SIZE = LAYOUT.size

_STAGES_WITH_REMOTE = frozenset((Stage.CONNECT, Stage.SENDMSG, Stage.EGRESS))
_STAGES_PERHAPS_WITH_REMOTE = frozenset((Stage.DEVICE, Stage.FLOW))

#: Bits of `flags`: LF_E_LOCAL, LF_E_SERVING.
LOCAL, SERVING = 1, 2

_TID, _STAGE = 8, 11  # indexes of fields
_BYTES = struct.Struct("=QQ")  # in a record of a flow, where others have `comm`
_COMM = 15  # bytes of a command's name, TASK_COMM_LEN less its end


class Traffic(NamedTuple):
    """What a socket sent and received in an interval of its life. Bytes are those behind the transport header."""

    since_ns: int  # CLOCK_BOOTTIME, the beginning; `Event.time_ns` is the end
    bytes_out: int  # what TCP sends again counts again
    bytes_in: int
    packets_out: int
    packets_in: int


class Event(NamedTuple):
    """One record, decoded. Enumerations stay numbers: a newer kernel side may know more of them than we do."""

    time_ns: int  # CLOCK_BOOTTIME
    tags: int
    missing: int
    cookie: int
    cgroup_id: int
    image: int
    version: int
    tgid: int
    tid: int
    uid: int
    rule: int
    stage: int
    verdict: int
    reason: int
    protocol: int
    family: int
    type: int
    local: bool
    serving: bool
    remote_port: int
    local_port: int
    ifindex: int
    comm: str  # control characters and what is no UTF-8 escaped
    remote: IPv4Address | IPv6Address | None  # IPv4 also where the kernel says ::ffff:a.b.c.d; None: no destination
    detail: int  # stage SYSCALL: see landfast.calls; stage UNIX: key of the socket's name, 0 where it has none
    traffic: Traffic | None = None  # stage FLOW only


def read(record: bytes) -> Event:
    """Decodes one record. Raises struct.error unless it has `SIZE` bytes."""
    return _event(LAYOUT.unpack(record))


def read_all(records: bytes) -> Iterator[Event]:
    """Decodes records one by one. Raises struct.error unless their size is a multiple of `SIZE`."""
    return map(_event, LAYOUT.iter_unpack(records))


def pack(**fields: int | bytes) -> bytes:
    """A record with the given fields, the others 0: for tests and load generators, the kernel makes the real ones."""
    return LAYOUT.pack(*(fields.get(name, b"" if code.endswith("s") else 0) for name, code, _ in FIELDS))


@cache
def numpy_type() -> "np.dtype[np.void]":
    """The structured type of one record."""
    import numpy as np

    return np.dtype([(name, code) for name, _, code in FIELDS])


def printable(text: str) -> str:
    """`text` with everything that could move a cursor, ring a bell or reorder a line escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def comm(name: str) -> bytes:
    """The name of a command as records have it: cut off where the kernel cuts it off."""
    return name.encode("utf-8", "surrogateescape")[:_COMM]


def have_destination(records: Any) -> Any:
    """Of an array of `numpy_type()`, which records have a destination: what `Event.remote` is None without."""
    import numpy as np

    stage = records["stage"]
    found = np.logical_or.reduce([stage == each for each in _STAGES_WITH_REMOTE])
    perhaps = np.logical_or.reduce([stage == each for each in _STAGES_PERHAPS_WITH_REMOTE])
    if perhaps.any():
        found[perhaps] = records["remote"][perhaps] != np.void(bytes(16))
    return found


def amounts_of(flows: Any) -> Any:
    """Of an array of `numpy_type()` with flows only: what each has sent and received, an array of two columns."""
    import numpy as np

    return np.ascontiguousarray(flows["comm"]).view("u8").reshape(-1, 2)


def address(raw: bytes) -> IPv4Address | IPv6Address:
    """The address in 16 bytes, IPv4 where it is mapped."""
    wide = IPv6Address(raw)
    return wide.ipv4_mapped or wide


def packed(address: IPv4Address | IPv6Address) -> bytes:
    """The 16 bytes of an address."""
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def _comm(raw: bytes) -> str:
    return printable(raw.partition(b"\0")[0].decode("utf-8", "backslashreplace"))


def _has_destination(stage: int, remote: bytes) -> bool:
    """A frame at a network link has one when it is an IP packet of an inet socket, a flow when there was one only."""
    return stage in _STAGES_WITH_REMOTE or (stage in _STAGES_PERHAPS_WITH_REMOTE and any(remote))


def _traffic(since_ns: int, sums: bytes, packets_out: int, packets_in: int) -> Traffic:
    bytes_out, bytes_in = _BYTES.unpack(sums)
    return Traffic(since_ns, bytes_out, bytes_in, packets_out, packets_in)


def _event(raw: tuple[Any, ...]) -> Event:
    *numbers, flags, _pad, remote_port, local_port, ifindex, comm, remote, detail = raw
    traffic = None
    if numbers[_STAGE] == Stage.FLOW:
        traffic = _traffic(detail, comm, numbers[_TID], ifindex)
        numbers[_TID], ifindex, comm, detail = 0, 0, b"", 0
    rest = remote_port, local_port, ifindex, _comm(comm)
    destination = address(remote) if _has_destination(numbers[_STAGE], remote) else None
    return Event._make((*numbers, bool(flags & LOCAL), bool(flags & SERVING), *rest, destination, detail, traffic))

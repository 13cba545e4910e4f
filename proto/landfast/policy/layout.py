"""The policy structs of bpf/landfast.h, field by field. A test holds every size and offset against the header.

Integers are in host byte order, fields whose name ends in `_be` in network order. Holes are explicit fields.
"""

from struct import Struct as _Packer
from struct import calcsize
from typing import Any

CLASSES = 64
INSTANTS = 4096
TIMED_SETS = 4096
GLOB_WORDS = 32
GLOB_BITS = GLOB_WORDS * 64
PATH_LEN = 256


class Layout:
    """A C struct: its fields as (name, format of the struct module). Values of arrays are tuples."""

    def __init__(self, name: str, *fields: tuple[str, str]) -> None:
        self.name, self.fields = name, fields
        self._packer = _Packer("=" + "".join(code for _, code in fields))
        self.size = self._packer.size

    def offset(self, field: str) -> int:
        """Bytes before `field`."""
        names = [name for name, _ in self.fields]
        return calcsize("=" + "".join(code for _, code in self.fields[: names.index(field)]))

    def pack(self, *values: int | bytes) -> bytes:
        """All fields in order, arrays flattened."""
        return self._packer.pack(*values)

    def unpack(self, data: bytes) -> tuple[Any, ...]:
        """All fields in order, arrays flattened."""
        return self._packer.unpack(data)


DEST_KEY = Layout("lf_dest_key", ("prefixlen", "I"), ("space", "I"), ("address", "16s"))
GRANT = Layout("lf_grant", ("classes", "Q"), ("timed", "Q"), ("timed_set", "I"), ("rule", "I"))
DEST = Layout("lf_dest", ("any", f"{GRANT.size}s"), ("ports", "I"), ("pad", "4x"))
PORT_KEY = Layout("lf_port_key", ("prefixlen", "I"), ("ports", "I"), ("protocol", "B"), ("pad", "x"), ("port_be", "2s"))
TIMED_SET = Layout("lf_timed_set", ("instant", f"{CLASSES}H"))
INSTANT = Layout("lf_instant", ("unix_s", "Q"), ("boot_ns", "Q"))
POLICY = Layout(
    "lf_policy",
    ("generation", "Q"),
    ("version", "Q"),
    ("loaded", "Q"),
    ("audit", "Q"),
    ("loop_allow", "Q"),
    ("loop_deny", "Q"),
    ("kill", "Q"),
    ("glob_words", "Q"),
    ("digest", "32s"),
    ("io_uring", "Q"),
    ("reserved", "24x"),
)
GLOB = Layout(
    "lf_glob",
    ("enter_path", f"{GLOB_WORDS}Q"),
    ("enter_component", f"{GLOB_WORDS}Q"),
    ("loop", f"{GLOB_WORDS}Q"),
    ("last", f"{GLOB_WORDS}Q"),
)
GLOB_ROW = Layout("lf_glob_row", ("on", f"{GLOB_WORDS}Q"))
UNIX_NAME = Layout("lf_unix_name", ("length", "I"), ("name", "112s"))
INDEX = Layout("u32", ("index", "I"))
MASK = Layout("u64", ("mask", "Q"))

STRUCTS = (DEST_KEY, GRANT, DEST, PORT_KEY, TIMED_SET, INSTANT, POLICY, GLOB, GLOB_ROW, UNIX_NAME)

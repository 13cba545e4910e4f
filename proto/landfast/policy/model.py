"""A policy as everybody holds it: parsed, normalised, in canonical order. See `canonical` for its bytes.

Prefixes are text in normal form (`10.20.0.0/16`, `2001:db8::/32`); expiries are seconds since 1970 in UTC.
A `Draft` is what people write; a `Policy` is a draft that has a version, and a bit for every class.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum

from msgspec import Struct

from landfast.policy.errors import InvalidError
from landfast.policy.ports import ANY, Ports

MAX_CLASSES = 64  # LF_CLASSES: one bit each in a tag mask
GROUP = "group:"  # what the name of a group begins with where a prefix may stand


class Mode(StrEnum):
    ENFORCE = "enforce"
    AUDIT = "audit"


class Loopback(StrEnum):
    SAME_CLASS = "same-class"
    ALLOW = "allow"
    DENY = "deny"


class ForbiddenCalls(StrEnum):
    KILL = "kill"
    AUDIT = "audit"


class IoUring(StrEnum):
    DENY = "deny"
    ALLOW = "allow"


class StalePolicy(StrEnum):
    HOLD = "hold"
    DENY_ALL = "deny-all"


class SelectorKind(StrEnum):
    UNIT = "unit"
    CGROUP = "cgroup"


def unix_name(path: str) -> bytes:
    """What policy writes as `path`, as the kernel knows it: sun_path of unix(7) without its final NUL."""
    return b"\0" + path[1:].encode() if path.startswith("@") else path.encode()


class Selector(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """What gives a process its tags: a glob over unit names or over cgroup paths."""

    kind: SelectorKind
    pattern: str

    def __str__(self) -> str:
        return f"{self.kind} {self.pattern}"


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One allowed destination. `remote` is a prefix or `group:NAME`; `ports` are remote ones, local in `serve`."""

    remote: str
    ports: tuple[Ports, ...]
    reason: str
    ticket: str = ""
    expires: int | None = None

    @property
    def target(self) -> tuple[str, tuple[Ports, ...]]:
        """What tells the rules of one list apart."""
        return self.remote, self.ports

    @property
    def group(self) -> str:
        """The name of the group that `remote` is, empty when it is a prefix."""
        return self.remote.removeprefix(GROUP) if self.remote.startswith(GROUP) else ""

    @property
    def any_port(self) -> bool:
        return self.ports == (ANY,)

    def __str__(self) -> str:
        return f"{self.remote} {','.join(map(str, self.ports))}"


class UnixPeer(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An untagged process of this host that may be talked to through the unix socket `path`.

    `@` begins an abstract name.
    """

    path: str
    reason: str
    ticket: str = ""
    expires: int | None = None

    @property
    def target(self) -> tuple[str, tuple[Ports, ...]]:
        return f"unix:{self.path}", ()

    @property
    def name(self) -> bytes:
        """As the kernel knows it."""
        return unix_name(self.path)

    def __str__(self) -> str:
        return f"unix:{self.path}"


class ClassDraft(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A data class as people write it: who carries it, and who it may talk to."""

    name: str
    description: str = ""
    mode: Mode
    loopback: Loopback
    forbidden_calls: ForbiddenCalls
    io_uring: IoUring = IoUring.DENY
    on_stale_policy: StalePolicy
    select: tuple[Selector, ...]
    allow: tuple[Rule, ...]
    serve: tuple[Rule, ...]
    peers: tuple[Rule, ...]
    unix_peers: tuple[UnixPeer, ...]


class DataClass(ClassDraft, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A data class of a policy version. `bit` is its place in tag masks, 0 to 63, for as long as it lives."""

    bit: int

    @property
    def mask(self) -> int:
        return 1 << self.bit


class Draft(Struct, frozen=True):
    """Classes and groups without version and bits."""

    classes: tuple[ClassDraft, ...]
    groups: dict[str, tuple[str, ...]]


class Policy(Struct, frozen=True, forbid_unknown_fields=True, tag_field="format", tag="landfast-policy-1"):
    """A complete, versioned snapshot. `retired` holds the bits of removed classes, by name: they are not reused."""

    version: int
    classes: tuple[DataClass, ...]
    groups: dict[str, tuple[str, ...]]
    retired: dict[str, int]

    def draft(self) -> Draft:
        """What people would have to write to get this policy."""
        fields = ClassDraft.__struct_fields__
        return Draft(
            tuple(ClassDraft(**{name: getattr(each, name) for name in fields}) for each in self.classes), self.groups
        )

    def bits(self) -> dict[str, int]:
        """Every name that has a bit, of classes and of removed ones."""
        return self.retired | {each.name: each.bit for each in self.classes}

    def tags(self, names: Iterable[str]) -> int:
        """The tag mask of classes by name. Raises `InvalidError` for one that the policy does not hold."""
        masks = {each.name: each.mask for each in self.classes}
        return sum(_mask(masks, name) for name in set(names))

    def names(self, tags: int) -> list[str]:
        """Names of the classes in a tag mask, by bit; `class-BIT` for a bit that never had a name."""
        by_bit = {bit: name for name, bit in self.bits().items()}
        return [by_bit.get(bit, f"class-{bit}") for bit in range(MAX_CLASSES) if tags >> bit & 1]


def _mask(masks: dict[str, int], name: str) -> int:
    if name in masks:
        return masks[name]
    near = get_close_matches(name, masks, 1)
    known = f"did you mean {near[0]}?" if near else f"the classes are {', '.join(sorted(masks)) or '(none)'}"
    raise InvalidError(f"the policy holds no data class {name!r}", known)

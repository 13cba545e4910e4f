"""What lets out more: the widenings of a policy that another one is to replace, by what they mean.

Time does not matter: a rule that lasts longer is a widening, also one that has expired already, so that the answer is
the same for everybody and for ever. Nor does the mode: the allowlist of a class in audit mode is what enforcement will
mean one day. A class that comes back is held against what still carries it, which was denied everything. A new class is
none: who carries it could do more before; several classes on one process mean the intersection.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from landfast.policy.coverage import FOREVER, NEVER, Area, areas, everything, gains, open_in_both
from landfast.policy.model import (
    ClassDraft,
    Draft,
    ForbiddenCalls,
    IoUring,
    Loopback,
    Mode,
    Policy,
    StalePolicy,
)
from landfast.policy.times import format_time

#: The values of every setting of a class, tightest first.
SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "mode": (Mode.ENFORCE, Mode.AUDIT),
    "loopback": (Loopback.DENY, Loopback.SAME_CLASS, Loopback.ALLOW),
    "forbidden_calls": (ForbiddenCalls.KILL, ForbiddenCalls.AUDIT),
    "io_uring": (IoUring.DENY, IoUring.ALLOW),
    "on_stale_policy": (StalePolicy.DENY_ALL, StalePolicy.HOLD),
}
_Groups = Mapping[str, tuple[str, ...]]


class Widening(Struct, frozen=True):
    """One way in which more gets out. `key` is where it stands in a class of the policy file, `item` what it is."""

    data_class: str
    key: str
    item: str

    def __str__(self) -> str:
        return f"{self.data_class} {self.key}: {self.item}"


def widenings(before: Policy | Draft, after: Policy | Draft) -> tuple[Widening, ...]:
    """Every way in which `after` lets out more than `before`, by class; none where it narrows or says the same.

    Takes seconds when 100,000 prefixes change, and then may have as many items.
    """
    known, following = _known(before), {each.name: each for each in after.classes}
    return tuple(
        Widening(name, key, item)
        for name in sorted(known)
        for key, item in _class(known[name], following.get(name), (before.groups, after.groups))
    )


def _known(before: Policy | Draft) -> dict[str, ClassDraft]:
    """Classes by name, with removed ones that something may still carry."""
    retired = before.retired if isinstance(before, Policy) else ()
    return {name: _denied(name) for name in retired} | {each.name: each for each in before.classes}


def _denied(name: str) -> ClassDraft:
    tightest: dict[str, Any] = {setting: values[0] for setting, values in SETTINGS.items()}
    return ClassDraft(name=name, select=(), allow=(), serve=(), peers=(), unix_peers=(), **tightest)


def _class(old: ClassDraft, new: ClassDraft | None, groups: tuple[_Groups, _Groups]) -> Iterator[tuple[str, str]]:
    """What carries a removed class is denied everything; what only its selectors tagged runs untagged."""
    for selector in sorted(set(old.select) - set(new.select if new else ())):
        yield "select", f"{selector} tags nobody any more"
    if new:
        yield from _settings(old, new)
        yield from _rules(old, new, groups)
        yield from _unix_peers(old, new)


def _settings(old: ClassDraft, new: ClassDraft) -> Iterator[tuple[str, str]]:
    for setting, values in SETTINGS.items():
        was, value = getattr(old, setting), getattr(new, setting)
        if values.index(was) < values.index(value):
            yield setting, f"{was} -> {value}"


def _rules(old: ClassDraft, new: ClassDraft, groups: tuple[_Groups, _Groups]) -> Iterator[tuple[str, str]]:
    for key, before in _reached(old, groups[0]).items():
        for gain in gains(before, areas(getattr(new, key), groups[1])):
            yield key, f"{gain.remote} {','.join(map(str, gain.ports))}{_end(gain.was, gain.until)}"


def _reached(old: ClassDraft, groups: _Groups) -> dict[str, set[Area]]:
    """What each list of the class lets out, and what is let out without it."""
    allow, serve, peers = (areas(rules, groups) for rules in (old.allow, old.serve, old.peers))
    if old.loopback == Loopback.ALLOW:
        peers |= everything()
    return {"allow": allow, "serve": serve | open_in_both(allow, peers), "peers": peers}


def _unix_peers(old: ClassDraft, new: ClassDraft) -> Iterator[tuple[str, str]]:
    if old.loopback == Loopback.ALLOW:
        return
    before = {peer.path: _until(peer.expires) for peer in old.unix_peers}
    for peer in new.unix_peers:
        was, until = before.get(peer.path, NEVER), _until(peer.expires)
        if was < until:
            yield "peers", f"{peer}{_end(was, until)}"


def _until(expires: int | None) -> int:
    return FOREVER if expires is None else expires


def _end(was: int, until: int) -> str:
    end = "without end" if until == FOREVER else f"until {format_time(until)}"
    if was:
        return f", until {format_time(was)} -> {end}"
    return "" if until == FOREVER else f", {end}"

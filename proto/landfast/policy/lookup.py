"""Decisions from tables, step by step what bpf/decide.h does in the kernel.

`Slot` tells where the entries come from: compiled `Tables` here, the pinned maps of a host in `explain`.
"""

from typing import NamedTuple, Protocol

from landfast.policy.addresses import BITS, address_number
from landfast.policy.evaluate import Decision, Question
from landfast.policy.layout import (
    CLASSES,
    DEST,
    DEST_KEY,
    GRANT,
    INDEX,
    INSTANT,
    POLICY,
    PORT_KEY,
    TIMED_SET,
    UNIX_NAME,
)
from landfast.policy.model import unix_name
from landfast.policy.tables import Tables
from landfast.verdict import Reason, Space, Verdict


class Slot(Protocol):
    """The entries of one policy slot. Keys and values are the structs of bpf/landfast.h."""

    def policy(self) -> bytes: ...

    def dest(self, key: bytes) -> bytes | None:
        """Longest-prefix lookup of a full lf_dest_key."""

    def port(self, key: bytes) -> bytes | None:
        """Longest-prefix lookup of a full lf_port_key."""

    def unix_peer(self, key: bytes) -> bytes | None:
        """What is granted to a struct lf_unix_name."""

    def timed_set(self, index: int) -> bytes: ...

    def instant(self, index: int) -> bytes: ...


class TableSlot:
    """A slot in memory."""

    def __init__(self, tables: Tables) -> None:
        self._maps = {name: dict(iter(entries)) for name, entries in tables.maps.items()}
        self._dests, self._ports = _Trie(self._maps["dests"]), _Trie(self._maps["ports"])
        self._policy = tables.policy

    def policy(self) -> bytes:
        return self._policy

    def dest(self, key: bytes) -> bytes | None:
        return self._dests.longest(key)

    def port(self, key: bytes) -> bytes | None:
        return self._ports.longest(key)

    def unix_peer(self, key: bytes) -> bytes | None:
        return self._maps["unix_peers"].get(key)

    def timed_set(self, index: int) -> bytes:
        return self._maps["timed_sets"].get(INDEX.pack(index), bytes(TIMED_SET.size))

    def instant(self, index: int) -> bytes:
        return self._maps["instants"].get(INDEX.pack(index), bytes(INSTANT.size))


class _Trie:
    """Entries by prefix. The longest that matches is found by trying every length that there is."""

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self._entries = entries
        self._lengths = sorted((int(INDEX.unpack(each)[0]) for each in {key[:4] for key in entries}), reverse=True)

    def longest(self, key: bytes) -> bytes | None:
        """What a full key finds."""
        data, size = int.from_bytes(key[4:]), 8 * (len(key) - 4)
        for length in self._lengths:
            kept = data >> (size - length) << (size - length)
            found = self._entries.get(INDEX.pack(length) + kept.to_bytes(size // 8))
            if found is not None:
                return found
        return None


class _Sum:
    """What is allowed so far, as struct lf_sum."""

    def __init__(self, slot: Slot, question: Question) -> None:
        self._slot, self._question = slot, question
        self.allowed = self.expired = 0
        self.reason, self.rules = Reason.NONE, set[int]()

    @property
    def _open(self) -> int:
        return self._question.tags & ~self.allowed

    def add(self, classes: int, rule: int, reason: Reason) -> None:
        gained, lowest = classes & self._open, self._question.tags & -self._question.tags
        if gained & lowest:
            self.reason = reason
        if gained:
            self.rules.add(rule)
        self.allowed |= gained

    def add_space(self, space: Space, port: int, reason: Reason) -> None:
        address = address_number(self._question.remote).to_bytes(16)
        dest = self._slot.dest(DEST_KEY.pack(32 + BITS, space, address))
        if dest is None:
            return
        any_port, table = DEST.unpack(dest)
        self._add_grant(any_port, reason)
        if table and self._open:
            key = PORT_KEY.pack(64, table, self._question.protocol, port.to_bytes(2))
            self._add_grant(self._slot.port(key) or bytes(GRANT.size), reason)

    def add_unix_peer(self) -> None:
        name = unix_name(self._question.unix)
        self._add_grant(self._slot.unix_peer(UNIX_NAME.pack(len(name), name)) or bytes(GRANT.size), Reason.PEER)

    def _add_grant(self, packed: bytes, reason: Reason) -> None:
        classes, timed, timed_set, rule = GRANT.unpack(packed)
        self.add(classes, rule, reason)
        self.add(self._in_time(timed & self._open, timed_set), rule, reason)

    def _in_time(self, timed: int, timed_set: int) -> int:
        instants = TIMED_SET.unpack(self._slot.timed_set(timed_set)) if timed else ()
        bits = [bit for bit in range(CLASSES) if timed >> bit & 1]
        valid = sum(1 << bit for bit in bits if self._lasts(instants[bit]))
        self.expired |= timed & ~valid
        return valid

    def _lasts(self, instant: int) -> bool:
        return bool(INSTANT.unpack(self._slot.instant(instant))[0] > self._question.now)


class _Fixed(NamedTuple):
    generation: int
    version: int
    loaded: int
    audit: int
    loop_allow: int
    loop_deny: int
    kill: int
    glob_words: int
    digest: bytes
    io_uring: int


def decide(slot: Slot, question: Question) -> Decision:
    """The kernel's answer. `rules` names the rule only if exactly one decided."""
    if not question.tags:
        return Decision(Verdict.ALLOW, Reason.NONE)
    fixed, total = _Fixed(*POLICY.unpack(slot.policy())), _Sum(slot, question)
    _add_all(fixed, total, question)
    missing = question.tags & ~(total.allowed & fixed.loaded)
    if missing:
        verdict = Verdict.DENY if missing & ~(fixed.audit & fixed.loaded) else Verdict.WOULD_DENY
        return Decision(verdict, _why_not(fixed, total, question, missing), missing)
    rules = tuple(total.rules) if len(total.rules) == 1 and 0 not in total.rules else ()
    return Decision(Verdict.ALLOW, total.reason, 0, rules)


def _add_all(fixed: _Fixed, total: _Sum, question: Question) -> None:
    if question.local:
        total.add(fixed.loop_allow, 0, Reason.LOOPBACK)
    if question.unix:
        total.add_unix_peer()
    elif question.local:
        total.add_space(Space.PEER, question.remote_port, Reason.PEER)
    else:
        total.add_space(Space.ALLOW, question.remote_port, Reason.RULE)
    if question.serving:
        total.add_space(Space.SERVE, question.local_port, Reason.SERVE)
    if question.local and question.peer_tags is not None and not question.tags & ~question.peer_tags:
        total.add(~fixed.loop_deny, 0, Reason.SAME_CLASS)


def _why_not(fixed: _Fixed, total: _Sum, question: Question, missing: int) -> Reason:
    if missing & ~fixed.loaded:
        return Reason.UNKNOWN_CLASS
    if total.expired & missing & -missing:
        return Reason.EXPIRED
    return Reason.UNTAGGED_PEER if question.local else Reason.NO_RULE

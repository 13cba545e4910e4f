"""A policy as the kernel holds it: the entries of every map of a slot.

Sources: the structs of bpf/landfast.h and the lookup order of bpf/decide.h. The result depends on the policy alone,
not on the host or the time: an expired rule is compiled like any other, and the kernel finds it expired.
"""

from collections.abc import Iterable
from functools import cached_property

from msgspec import Struct

from landfast.policy.digest import ARRAYS, KEYED, digest_of
from landfast.policy.entries import Entries, Entry
from landfast.policy.errors import InvalidError, refuse
from landfast.policy.glob import Automaton, compile_globs
from landfast.policy.grants import Grants
from landfast.policy.layout import INDEX, INSTANT, MASK, POLICY, UNIX_NAME
from landfast.policy.model import ForbiddenCalls, IoUring, Loopback, Mode, Policy, Rule, SelectorKind, UnixPeer
from landfast.policy.numbering import NumberedRule, numbered


class Tables(Struct, frozen=True, dict=True):
    """What one policy slot holds.

    `dests` and `ports` are tries, `unix_peers` is a hash. The others are arrays with a u32 index within the slot as
    key, of which only entries that are not zero are listed. `instants` have boot_ns 0 and `policy` has generation 0:
    both are the host's.
    """

    dests: Entries
    ports: Entries
    unix_peers: Entries
    timed_sets: Entries
    instants: Entries
    glob_rows: Entries
    glob_tags: Entries
    policy: bytes
    glob: bytes

    @property
    def maps(self) -> dict[str, Entries]:
        """Entries by the name of their map: everything but the two fixed values."""
        return {name: getattr(self, name) for name in KEYED + ARRAYS}

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 that a dump of the kernel maps must have once this is loaded."""
        return digest_of(self.maps, self.policy, self.glob)


def compile_policy(policy: Policy, canonical_digest: bytes) -> Tables:
    """The tables of `policy`, whose canonical form has the SHA-256 `canonical_digest`.

    Raises `PolicyError` when the policy needs more than a kernel table holds; the finding names the limit.
    """
    try:
        return _compile(policy, canonical_digest)
    except InvalidError as error:
        raise refuse(f"policy version {policy.version}", "", error.problem, error.remedy) from error


def _compile(policy: Policy, canonical_digest: bytes) -> Tables:
    from landfast.policy.tries import Tries  # with numpy

    everything = tuple(numbered(policy))
    rules = {each.number: (each, each.rule) for each in everything if isinstance(each.rule, Rule)}
    grants = Grants(everything)
    tries = Tries(policy, rules, grants)
    tries.fill()
    automaton = selectors_of(policy)
    return Tables(
        dests=Entries.joined(tries.dests),
        ports=Entries.of(tries.ports),
        unix_peers=Entries.of(_unix_peers(everything, grants)),
        timed_sets=_indexed(grants.timed_sets()),
        instants=_indexed((at, INSTANT.pack(instant, 0)) for at, instant in enumerate(grants.instants)),
        glob_rows=_indexed(automaton.pack_rows()),
        glob_tags=_indexed((last, MASK.pack(tags)) for last, tags in automaton.tags.items()),
        policy=_fixed(policy, automaton.words, canonical_digest),
        glob=automaton.pack(),
    )


def _unix_peers(rules: Iterable[NumberedRule], grants: Grants) -> Iterable[Entry]:
    by_name: dict[bytes, list[int]] = {}
    for each in rules:
        if isinstance(each.rule, UnixPeer):
            by_name.setdefault(each.rule.name, []).append(each.number)
    return ((UNIX_NAME.pack(len(name), name), grants.pack(tuple(numbers))) for name, numbers in by_name.items())


def _indexed(values: Iterable[tuple[int, bytes]]) -> Entries:
    return Entries.of((INDEX.pack(index), value) for index, value in values if any(value))


def selectors_of(policy: Policy) -> Automaton:
    """The automaton over cgroup paths of all selectors."""
    patterns: dict[SelectorKind, dict[str, int]] = {kind: {} for kind in SelectorKind}
    for each in policy.classes:
        for selector in each.select:
            of_kind = patterns[selector.kind]
            of_kind[selector.pattern] = of_kind.get(selector.pattern, 0) | each.mask
    return compile_globs(patterns[SelectorKind.UNIT], patterns[SelectorKind.CGROUP])


def _fixed(policy: Policy, glob_words: int, canonical_digest: bytes) -> bytes:
    classes = policy.classes
    return POLICY.pack(
        0,
        policy.version,
        sum(each.mask for each in classes),
        sum(each.mask for each in classes if each.mode == Mode.AUDIT),
        sum(each.mask for each in classes if each.loopback == Loopback.ALLOW),
        sum(each.mask for each in classes if each.loopback == Loopback.DENY),
        sum(each.mask for each in classes if each.forbidden_calls == ForbiddenCalls.KILL),
        glob_words,
        canonical_digest,
        sum(each.mask for each in classes if each.io_uring == IoUring.ALLOW),
    )

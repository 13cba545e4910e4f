r"""Selectors as one automaton over the bytes of a cgroup path: struct lf_glob of bpf/landfast.h.

Syntax of a pattern, as systemd and shells have it, except that a backslash is an ordinary character, since unit names
contain it (`dev-disk-by\x2duuid.swap`):

    *         any run of bytes but '/', also an empty one
    ?         one byte but '/'
    [a-z_]    one byte of a set; `]` stands for itself as the first
    [!a-z]    one byte that is neither in the set nor '/'

A unit pattern matches one whole component of the path, anywhere in it; a path pattern matches from the root. Both
match a cgroup with everything below it. A literal `*`, `?` or `[` is written as `[*]`, `[?]`, `[[]`.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from landfast.policy.errors import InvalidError
from landfast.policy.layout import GLOB, GLOB_BITS, GLOB_ROW, GLOB_WORDS

_WORD = (1 << 64) - 1
_SLASH = ord("/")
_NOT_SLASH = frozenset(range(1, 256)) - {_SLASH}


class _State(Struct):
    """One state of a pattern: the bytes that lead into it, and whether it stays on any byte but '/'."""

    on: frozenset[int]
    loops: bool = False


class Automaton(Struct, frozen=True):
    """Masks have one bit per state. `on` has a mask for every byte that leads anywhere, `tags` one per last state."""

    states: int
    enter_path: int
    enter_component: int
    loop: int
    last: int
    on: dict[int, int]
    tags: dict[int, int]

    @property
    def words(self) -> int:
        """How many 64-bit words are in use."""
        return (self.states + 63) // 64

    def pack(self) -> bytes:
        """As struct lf_glob."""
        masks = (self.enter_path, self.enter_component, self.loop, self.last)
        return GLOB.pack(*(word for mask in masks for word in _words(mask)))

    def pack_rows(self) -> list[tuple[int, bytes]]:
        """Every row that is not empty, by byte, as struct lf_glob_row."""
        return [(byte, GLOB_ROW.pack(*_words(mask))) for byte, mask in sorted(self.on.items())]


def _words(mask: int) -> tuple[int, ...]:
    return tuple(mask >> 64 * word & _WORD for word in range(GLOB_WORDS))


def compile_globs(units: Mapping[str, int], paths: Mapping[str, int]) -> Automaton:
    """The automaton of unit and path patterns, each with the tags that it gives.

    Raises `InvalidError` for a pattern that is none, or when all of them need more than LF_GLOB_BITS states.
    """
    builder = _Builder()
    starts_path = [builder.add(pattern, tags) for pattern, tags in sorted(paths.items())]
    starts_unit = [builder.add(pattern, tags) for pattern, tags in sorted(units.items())]
    return builder.finish(_bits(starts_path), _bits(starts_unit))


def _bits(positions: Iterable[int]) -> int:
    return sum(1 << position for position in positions)


class _Builder:
    """Lays patterns side by side. Nothing leads into a start state, so no pattern runs on into the next."""

    def __init__(self) -> None:
        self._states: list[_State] = []
        self._tags: dict[int, int] = {}

    def add(self, pattern: str, tags: int) -> int:
        """The position of the pattern's start state."""
        start = len(self._states)
        self._states += parse_glob(pattern)
        if len(self._states) > GLOB_BITS:
            raise InvalidError(
                f"all selectors together are longer than {GLOB_BITS} characters (LF_GLOB_BITS)",
                "use shorter patterns, or one that matches what several match now",
            )
        self._tags[len(self._states) - 1] = tags
        return start

    def finish(self, enter_path: int, enter_component: int) -> Automaton:
        on: dict[int, int] = {}
        for position, state in enumerate(self._states):
            for byte in state.on:
                on[byte] = on.get(byte, 0) | 1 << position
        loop = _bits(position for position, state in enumerate(self._states) if state.loops)
        return Automaton(len(self._states), enter_path, enter_component, loop, _bits(self._tags), on, self._tags)


def parse_glob(pattern: str) -> list[_State]:
    """The states of a pattern: a start state, and one for each byte that it asks for. Raises `InvalidError`."""
    states, text, at = [_State(frozenset())], pattern.encode(), 0
    while at < len(text):
        step = _STEPS.get(text[at : at + 1], _literal)
        at = step(text, at, states)
    return states


def _literal(text: bytes, at: int, states: list[_State]) -> int:
    states.append(_State(frozenset(text[at : at + 1])))
    return at + 1


def _star(text: bytes, at: int, states: list[_State]) -> int:
    if states[-1].loops:
        raise InvalidError(
            f"{text.decode()!r} has two stars in a row", "write one: a pattern covers everything below it"
        )
    states[-1].loops = True
    return at + 1


def _question(_text: bytes, at: int, states: list[_State]) -> int:
    states.append(_State(_NOT_SLASH))
    return at + 1


def _set(text: bytes, at: int, states: list[_State]) -> int:
    negative = text[at + 1 : at + 2] == b"!"
    first = at + 1 + negative
    end = text.find(b"]", first + 1)
    if end < 0:
        raise InvalidError(f"{text.decode()!r} has a '[' without ']'", "close the set, or write [[] for a literal '['")
    members = _members(text[first:end], text.decode())
    states.append(_State(_NOT_SLASH - members if negative else members))
    return end + 1


_STEPS: Mapping[bytes, Callable[[bytes, int, list[_State]], int]] = {b"*": _star, b"?": _question, b"[": _set}


def _members(inside: bytes, pattern: str) -> frozenset[int]:
    members: set[int] = set()
    at = 0
    while at < len(inside):
        span = inside[at : at + 3] if inside[at + 1 : at + 2] == b"-" and at + 2 < len(inside) else inside[at : at + 1]
        if span[0] > span[-1]:
            raise InvalidError(
                f"{pattern!r} has a range that runs backwards", f"turn {span.decode(errors='replace')} round"
            )
        members.update(range(span[0], span[-1] + 1))
        at += len(span)
    if inside[:1] == b"^" or max(members) > 127 or _SLASH in members:
        raise InvalidError(f"{pattern!r} has a set with '^', '/' or a byte beyond ASCII", "write [!...] for 'none of'")
    return frozenset(members)


def matches(automaton: Automaton, path: bytes) -> int:
    """The tags that a cgroup path earns: word by word what the kernel does, with a carry between the words."""
    active, matched, slash = [0] * automaton.words, [0] * automaton.words, False
    for at, byte in enumerate(path):
        enter = automaton.enter_path * (at == 0) | automaton.enter_component * slash
        slash = byte == _SLASH
        active = _step(automaton, active, enter, byte)
        if path[at + 1 : at + 2] in (b"/", b""):
            matched = [old | new for old, new in zip(matched, active, strict=True)]
    return _earned(automaton, matched)


def _step(automaton: Automaton, active: list[int], enter: int, byte: int) -> list[int]:
    carry, after = 0, []
    for word, was in enumerate(active):
        shift = 64 * word
        before = was | enter >> shift & _WORD
        moved = (before << 1 | carry) & _WORD & automaton.on.get(byte, 0) >> shift
        stayed = 0 if byte == _SLASH else before & automaton.loop >> shift
        after.append(moved | stayed)
        carry = before >> 63
    return after


def _earned(automaton: Automaton, matched: list[int]) -> int:
    earned = 0
    for last, tags in automaton.tags.items():
        if matched[last // 64] >> last % 64 & 1:
            earned |= tags
    return earned

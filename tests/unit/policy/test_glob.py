"""The selector automaton against a matcher that tries everything."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landfast.policy.errors import InvalidError
from landfast.policy.glob import compile_globs, matches
from landfast.policy.layout import GLOB, GLOB_BITS, GLOB_ROW, GLOB_WORDS
from landfast.policy.selectors import parse_selector

_ATOMS = ["a", "b", ".", "-", "\\", "*", "?", "[ab]", "[!a]", "[a-c.]", "[]]", "[*]"]
_TEXTS = st.lists(st.sampled_from(_ATOMS), min_size=1, max_size=6)
_PATHS = st.lists(st.text("abc.-\\]*", min_size=1, max_size=5), min_size=1, max_size=4)


def _no_star_twice(atoms: list[str]) -> bool:
    return all((one, other) != ("*", "*") for one, other in pairwise(atoms))


def _fits(atoms: list[str], text: str) -> bool:
    """By definition: the first atom takes some characters, the rest the rest."""
    if not atoms:
        return not text
    first, *rest = atoms
    if first == "*":
        return any(_fits(rest, text[taken:]) for taken in range(len(text) + 1))
    return bool(text) and _takes(first, text[0]) and _fits(rest, text[1:])


def _takes(atom: str, character: str) -> bool:
    sets = {"?": character, "[ab]": "ab", "[a-c.]": "abc.", "[]]": "]", "[*]": "*"}
    return character != "a" if atom == "[!a]" else character in sets.get(atom, atom)


@settings(max_examples=500, deadline=None)
@given(st.lists(_TEXTS.filter(_no_star_twice), min_size=1, max_size=5, unique_by="".join), _PATHS)
def test_unit_patterns_match_one_component(patterns: list[list[str]], components: list[str]) -> None:
    automaton = compile_globs({"".join(atoms): 1 << index for index, atoms in enumerate(patterns)}, {})
    wanted = sum(1 << i for i, atoms in enumerate(patterns) if any(_fits(atoms, each) for each in components))
    assert matches(automaton, ("/" + "/".join(components)).encode()) == wanted


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.lists(_TEXTS.filter(_no_star_twice), min_size=1, max_size=3), min_size=1, max_size=4, unique_by=str),
    _PATHS,
)
def test_path_patterns_match_from_the_root(patterns: list[list[list[str]]], components: list[str]) -> None:
    texts = ["/" + "/".join("".join(atoms) for atoms in pattern) for pattern in patterns]
    automaton = compile_globs({}, {text: 1 << index for index, text in enumerate(texts)})
    wanted = sum(
        1 << i
        for i, pattern in enumerate(patterns)
        if len(pattern) <= len(components) and all(_fits(*pair) for pair in zip(pattern, components, strict=False))
    )
    assert matches(automaton, ("/" + "/".join(components)).encode()) == wanted


def test_patterns_side_by_side_do_not_run_into_each_other() -> None:
    automaton = compile_globs({"foo.service": 1, "a.service": 2}, {"/a": 4, "/lf/*": 8})
    assert matches(automaton, b"/x/foo.service/a") == 1
    assert matches(automaton, b"/a/b") == 4
    assert matches(automaton, b"/lf") == 0
    assert matches(automaton, b"/lf/x/y") == 8


def test_states_run_over_words() -> None:
    name = "n" * 200
    automaton = compile_globs({name: 1}, {"/" + "*".join(name[:90]): 2})
    assert automaton.words > 3
    assert matches(automaton, f"/x/{name}/y".encode()) == 1
    assert matches(automaton, f"/{name}".encode()) == 3
    assert matches(automaton, f"/{name}n".encode()) == 2


def test_systemd_escapes_are_ordinary_characters() -> None:
    automaton = compile_globs({r"dev-disk-by\x2duuid.swap": 1}, {})
    assert matches(automaton, rb"/dev-disk-by\x2duuid.swap") == 1
    assert matches(automaton, b"/dev-disk-byx2duuid.swap") == 0


def test_every_byte_but_slash_and_nul() -> None:
    automaton = compile_globs({"x?y": 1, "x[!a]z": 2}, {})
    for byte in range(1, 256):
        path = b"/x" + bytes([byte])
        assert matches(automaton, path + b"y") == (byte != ord("/"))
        assert matches(automaton, path + b"z") == (2 if byte not in b"/a" else 0)


def test_packed_automaton() -> None:
    automaton = compile_globs({"a*.b": 5}, {})
    words = GLOB.unpack(automaton.pack())
    assert words[::GLOB_WORDS] == (0, 0b0001, 0b0010, 0b1000)
    rows = {byte: GLOB_ROW.unpack(row)[0] for byte, row in automaton.pack_rows()}
    assert rows == {ord("a"): 0b0010, ord("."): 0b0100, ord("b"): 0b1000}
    assert automaton.tags == {3: 5}


def test_too_many_patterns_name_the_limit() -> None:
    patterns = {f"{index:04}.service": 1 for index in range(GLOB_BITS // 13)}
    compile_globs(patterns, {})
    with pytest.raises(InvalidError, match="LF_GLOB_BITS"):
        compile_globs(patterns | {"one-more.service": 1}, {})


@pytest.mark.parametrize(
    ("kind", "pattern", "problem"),
    [
        ("unit", "*", "would tag the cgroup"),
        ("unit", "*.service", "ssh.service"),
        ("unit", "ssh*", "ssh.service"),
        ("unit", "[s]shd.service", "sshd.service"),
        ("unit", "init.scope", "init.scope"),
        ("unit", "-.slice", "-.slice"),
        ("unit", "system.slice", "system.slice"),
        ("unit", "user.slice", "user.slice"),
        ("unit", "landfast-agent.service", "landfast-agent.service"),
        ("unit", "*landfast*", "landfast-agent.service"),
        ("cgroup", "/", "would tag the cgroup /"),
        ("cgroup", "/*", "would tag the cgroup /"),
        ("cgroup", "/i*", "init.scope"),
        ("cgroup", "/system.slice", "system.slice"),
        ("cgroup", "/*.slice/*", "ssh.service"),
        ("cgroup", "/system.slice/s*", "ssh.service"),
        ("cgroup", "/init.scope", "init.scope"),
        ("cgroup", "landfast.slice", "does not begin with '/'"),
        ("cgroup", "/a/", "empty component"),
        ("cgroup", "/a/../b", "'..'"),
        ("cgroup", "/" + "a" * 300, "too long"),
        ("unit", "a/b.service", "has a '/'"),
        ("unit", "feed-ingest", "no unit"),
        ("unit", "feed-**.service", "two stars"),
        ("unit", "feed-[ab.service", "without ']'"),
        ("unit", "feed-[^a].service", "'^'"),
        ("unit", "feed-[b-a].service", "backwards"),
        ("executable", "/bin/cat", "not built yet"),
        ("user", "ingest", "not built yet"),
        ("data_path", "/srv", "not built yet"),
        ("units", "x.service", "do not exist"),
    ],
)
def test_refused_selectors(kind: str, pattern: str, problem: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_selector(kind, pattern)
    assert problem in caught.value.problem
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("unit", "feed-*.service"),
        ("unit", "feed-?.slice"),
        ("unit", "app@[0-9].service"),
        ("cgroup", "/landfast.slice/eea/*"),
        ("cgroup", "/system.slice/feed-*.service"),
        ("cgroup", "/user.slice/user-1000.slice"),
    ],
)
def test_accepted_selectors(kind: str, pattern: str) -> None:
    selector = parse_selector(kind, pattern)
    assert (selector.kind, selector.pattern) == (kind, pattern)
